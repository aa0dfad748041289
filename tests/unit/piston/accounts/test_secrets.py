import re

from piston.accounts.secrets import hash_secret, is_secret_of, make_secret


def test_a_secret_is_64_hex_characters() -> None:
    assert re.fullmatch("[0-9a-f]{64}", make_secret())


def test_two_secrets_differ() -> None:
    assert make_secret() != make_secret()


def test_the_hash_is_sha256() -> None:
    assert hash_secret("abc").startswith("ba7816bf8f01cfea")


def test_a_secret_is_recognised_by_its_hash() -> None:
    assert is_secret_of(hash_secret("one"), "one")


def test_another_secret_is_not_recognised() -> None:
    assert not is_secret_of(hash_secret("one"), "two")


def test_what_no_key_looks_like_can_be_hashed_too() -> None:
    assert len(hash_secret("\udc80\x00é")) == 64
