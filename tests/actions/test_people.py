"""What people sign in with is kept so that a stolen database does not open a door."""

from __future__ import annotations

from argon2 import PasswordHasher, Type


def test_a_password_costs_a_thief_memory_and_time(costly: PasswordHasher) -> None:
    assert (costly.type, costly.time_cost, costly.memory_cost) == (Type.ID, 3, 64 * 1024)
