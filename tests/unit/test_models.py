"""Roles include the ones before them."""

from archibald_sync.domain.models import Role


def test_roles_are_ordered() -> None:
    """An admin may do all, a viewer only look."""
    assert Role.ADMIN.includes(Role.OPERATOR)
    assert Role.OPERATOR.includes(Role.OPERATOR)
    assert not Role.VIEWER.includes(Role.OPERATOR)
