"""Finds the files of the landing folder, tells what they are, unpacks them; never writes there."""

from orchestration.landing.inventory import Inventory, LandedFile, holds_exports, take_inventory

__all__ = ["Inventory", "LandedFile", "holds_exports", "take_inventory"]
