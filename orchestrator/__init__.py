"""drillctl: disaster-recovery drills for securities firms' exchange gateways."""

__version__ = "0.1.0"
