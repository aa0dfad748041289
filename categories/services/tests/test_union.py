"""Which rows do the two documents of a month make?"""

from categories.services.union import unite

BOM = {
    "branding": {"whitelabel": 0},
    "phone_numbers": {"did_us": 1},
    "ips": {"dedicated": 0},
}
EOM = {**BOM, "number_services": {"local": 130}}


def test_a_missing_end_leaves_its_quantities_unset() -> None:
    rows = list(unite({"ips": {"dedicated": 0}, "branding": {"whitelabel": 0}}, None))

    assert rows == [("branding", "whitelabel", 0, None), ("ips", "dedicated", 0, None)]


def test_a_missing_beginning_leaves_its_quantities_unset() -> None:
    rows = list(unite(None, {"ips": {"dedicated": 0}, "branding": {"whitelabel": 0}}))

    assert rows == [("branding", "whitelabel", None, 0), ("ips", "dedicated", None, 0)]


def test_two_documents_make_the_sorted_union_of_their_items() -> None:
    rows = list(unite(BOM, EOM))

    assert rows == [
        ("branding", "whitelabel", 0, 0),
        ("ips", "dedicated", 0, 0),
        ("number_services", "local", None, 130),
        ("phone_numbers", "did_us", 1, 1),
    ]


def test_items_of_one_category_are_united_and_sorted() -> None:
    rows = list(unite({"ips": {"b": 2, "c": 3}}, {"ips": {"c": 4, "a": 1}}))

    assert rows == [("ips", "a", None, 1), ("ips", "b", 2, None), ("ips", "c", 3, 4)]


def test_two_missing_documents_make_no_rows() -> None:
    assert list(unite(None, None)) == []


def test_a_category_without_items_makes_no_row() -> None:
    assert list(unite({"ips": {}}, {})) == []
