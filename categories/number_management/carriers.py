"""The carrier modules that a number can have."""

LOCAL_CARRIER = "knm_local"  # the default, without an outside carrier
MDN_CARRIER = "knm_mdn"  # mobile numbers, which an outside system assigns

# nobody takes these back, so a released number is deleted
REMOVED_CARRIERS = frozenset({LOCAL_CARRIER, MDN_CARRIER})

CARRIERS = (
    "knm_bandwidth",
    "knm_bandwidth2",
    "knm_didww",
    "knm_flowroute",
    "knm_inteliquent",
    "knm_inum",
    "knm_inventory",
    "knm_it_vocal",
    "knm_level3",
    LOCAL_CARRIER,
    "knm_managed",
    MDN_CARRIER,
    "knm_o1",
    "knm_other",
    "knm_peerless",
    "knm_reserved",
    "knm_reserved_reseller",
    "knm_simwood",
    "knm_telnyx",
    "knm_thinq",
    "knm_verizon",
    "knm_vitelity",
    "knm_voip_innovations",
    "knm_voxbone",
    "knm_windstream",
    "knm_ziron",
)
