"""Start the simulated robot and the depth node that looks through its camera.

    ros2 launch depth_perception sim.launch.py

Every argument of depth.launch.py is taken; those not given follow the simulated robot's topics and clock.
"""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from depth_perception.bringup import ARGUMENTS, SIMULATED, middleware_environment

SIM_PARAMS_FILE = "sim_params_file"


def simulator(context: LaunchContext) -> list[Node]:
    """The simulator's action, once the arguments are known."""
    return [
        Node(
            package="depth_perception",
            executable="simulator_node",
            name="simulator",
            namespace=LaunchConfiguration("namespace").perform(context) or None,
            parameters=[LaunchConfiguration(SIM_PARAMS_FILE)],
            additional_env=middleware_environment(),
            output="screen",
        )
    ]


def generate_launch_description() -> LaunchDescription:
    share = FindPackageShare("depth_perception")
    defaults = SIMULATED | {"params_file": PathJoinSubstitution([share, SIMULATED["params_file"]])}
    declared = [
        DeclareLaunchArgument(
            argument.name,
            default_value=defaults.get(argument.name, argument.default),
            description=argument.description,
            choices=list(argument.choices) or None,
        )
        for argument in ARGUMENTS
    ]
    sim_params_file = DeclareLaunchArgument(
        SIM_PARAMS_FILE,
        default_value=PathJoinSubstitution([share, "config", "simulator.yaml"]),
        description="ROS parameter file of the simulator",
    )
    depth = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(PathJoinSubstitution([share, "launch", "depth.launch.py"])),
        launch_arguments=[(argument.name, LaunchConfiguration(argument.name)) for argument in ARGUMENTS],
    )
    return LaunchDescription([*declared, sim_params_file, OpaqueFunction(function=simulator), depth])
