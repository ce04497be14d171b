"""Start the recorder.

    ros2 launch depth_perception recorder.launch.py image:=/camera/image_raw lidar:=/lidar/points

An empty argument means not used; arguments win over the parameter file. What they mean:
depth_perception/recording/bringup.py.
"""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from depth_perception.bringup import middleware_environment
from depth_perception.recording.bringup import ARGUMENTS, parameters, remappings

RESPAWN_DELAY_S = 2.0


def recorder_node(context: LaunchContext) -> list[Node]:
    """The node's action, once the arguments are known."""
    arguments = {argument.name: LaunchConfiguration(argument.name).perform(context) for argument in ARGUMENTS}
    share = FindPackageShare("depth_perception")
    params_file = arguments["params_file"] or PathJoinSubstitution([share, "config", "recorder.yaml"])
    # The value's type is said, or launch guesses it from the text.
    overrides = {name: ParameterValue(value, value_type=type(value)) for name, value in parameters(arguments).items()}
    log_level = arguments["log_level"]
    return [
        Node(
            package="depth_perception",
            executable="recorder_node",
            name="recorder",
            namespace=arguments["namespace"] or None,
            parameters=[params_file, overrides] if overrides else [params_file],
            remappings=remappings(arguments),
            ros_arguments=["--log-level", log_level] if log_level else [],
            additional_env=middleware_environment(),
            respawn=arguments["use_respawn"] == "true",
            respawn_delay=RESPAWN_DELAY_S,
            output="screen",
        )
    ]


def generate_launch_description() -> LaunchDescription:
    declared = [
        DeclareLaunchArgument(
            argument.name,
            default_value=argument.default,
            description=argument.description,
            choices=list(argument.choices) or None,
        )
        for argument in ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=recorder_node)])
