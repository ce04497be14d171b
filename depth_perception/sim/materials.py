"""The set of materials that one world draws from: few enough to load fast, and any of them may look like anything."""

from __future__ import annotations

from depth_perception.sim.scene import Scene


def furniture_wood(scene: Scene) -> str:
    """Bodies of furniture: mostly wood and lacquer."""
    return scene.some("furniture", 5, ("wood", "sheet", "wood", "sheet", "plaster"), (0.4, 2.5), specular=0.2)


def fabric(scene: Scene) -> str:
    """Covers, curtains, bedding, clothes."""
    return scene.some("fabric", 4, ("fabric", "fabric", "plaster", "stone"), (0.25, 1.6))


def item(scene: Scene) -> str:
    """Small things and packages."""
    return scene.some("item", 7, ("print", "sheet", "picture", "plaster", "wood"), (0.2, 1.2), specular=0.25)


def leaf(scene: Scene) -> str:
    """Leaves of plants, hedges and trees."""
    return scene.some("leaf", 3, ("foliage", "grass"), (0.5, 2.5), loyalty=0.95)


def bark(scene: Scene) -> str:
    """Trunks, posts and fences."""
    return scene.some("bark", 2, ("wood", "stone", "speckle"), (0.3, 1.5))


def wall(scene: Scene) -> str:
    """Inside walls: often plain, as real ones are."""
    return scene.some(
        "wall", 3, ("plaster", "plaster", "plaster", "plaster", "bricks", "tiles", "wood"), (0.8, 4.0), loyalty=0.9
    )


def floor(scene: Scene) -> str:
    """Inside floors."""
    return scene.some(
        "floor", 2, ("wood", "tiles", "fabric", "speckle", "asphalt", "stone"), (0.6, 3.5), loyalty=0.8, specular=0.15
    )


def paving(scene: Scene) -> str:
    """Pavements, terraces, paths."""
    return scene.some("paving", 2, ("tiles", "bricks", "asphalt", "speckle"), (0.6, 3.0), loyalty=0.9)


def masonry(scene: Scene) -> str:
    """Outside walls without windows."""
    return scene.some("masonry", 4, ("bricks", "plaster", "asphalt", "stone", "wood"), (1.0, 5.0), loyalty=0.85)


def facade(scene: Scene) -> str:
    """House fronts with windows painted on."""
    return scene.some("facade", 6, ("facade",), (4.5, 9.0), loyalty=0.95)


def roof(scene: Scene) -> str:
    """Roofs."""
    return scene.some("roof", 2, ("tiles", "bricks", "sheet", "speckle"), (1.0, 4.0), loyalty=0.9)


def lacquer(scene: Scene) -> str:
    """Car bodies."""
    return scene.some("lacquer", 6, ("sheet",), (1.5, 5.0), loyalty=0.97, specular=0.7)


def glass(scene: Scene) -> str:
    """Panes seen from outside: dark, with vague reflections."""
    return scene.some("glass", 2, ("glass",), (1.0, 3.0), loyalty=1.0, specular=0.8)


def metal(scene: Scene) -> str:
    """Poles, rails, wheels."""
    return scene.some("metal", 3, ("sheet", "asphalt"), (0.5, 2.0), loyalty=0.95, specular=0.4)
