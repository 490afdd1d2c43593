"""Places on the map: where clouds are known to be, for convenience, and where a pin goes on the drawn world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Place(NamedTuple):
    """A place: its name, degrees north and east."""

    name: str
    latitude: float
    longitude: float


# Towns with data centres of the providers that Escale knows, to a tenth of a degree.
PLACES = tuple(
    Place(*each)
    for each in (
        ("Amsterdam, NL", 52.4, 4.9),
        ("Ashburn, US", 39.0, -77.5),
        ("Atlanta, US", 33.7, -84.4),
        ("Bangalore, IN", 13.0, 77.6),
        ("Beauharnois, CA", 45.3, -73.9),
        ("Berlin, DE", 52.5, 13.4),
        ("Boardman (Oregon), US", 45.8, -119.7),
        ("Brussels, BE", 50.8, 4.4),
        ("Cape Town, ZA", -33.9, 18.4),
        ("Chicago, US", 41.9, -87.6),
        ("Columbus (Ohio), US", 40.0, -83.0),
        ("Dallas, US", 32.8, -96.8),
        ("Dubai, AE", 25.2, 55.3),
        ("Dublin, IE", 53.3, -6.3),
        ("Frankfurt, DE", 50.1, 8.7),
        ("Geneva, CH", 46.2, 6.1),
        ("Gravelines, FR", 51.0, 2.1),
        ("Hong Kong, HK", 22.3, 114.2),
        ("Jakarta, ID", -6.2, 106.8),
        ("London, GB", 51.5, -0.1),
        ("Los Angeles, US", 34.1, -118.2),
        ("Lyon, FR", 45.8, 4.8),
        ("Madrid, ES", 40.4, -3.7),
        ("Manassas, US", 38.8, -77.5),
        ("Marseille, FR", 43.3, 5.4),
        ("Melbourne, AU", -37.8, 145.0),
        ("Milan, IT", 45.5, 9.2),
        ("Montreal, CA", 45.5, -73.6),
        ("Mumbai, IN", 19.1, 72.9),
        ("Munich, DE", 48.1, 11.6),
        ("New York, US", 40.7, -74.0),
        ("Osaka, JP", 34.7, 135.5),
        ("Oslo, NO", 59.9, 10.8),
        ("Paris, FR", 48.9, 2.4),
        ("Roubaix, FR", 50.7, 3.2),
        ("San Jose, US", 37.3, -121.9),
        ("Sao Paulo, BR", -23.6, -46.6),
        ("Seoul, KR", 37.6, 127.0),
        ("Singapore, SG", 1.4, 103.8),
        ("Stockholm, SE", 59.3, 18.1),
        ("Strasbourg, FR", 48.6, 7.8),
        ("Sydney, AU", -33.9, 151.2),
        ("Tel Aviv, IL", 32.1, 34.8),
        ("Tokyo, JP", 35.7, 139.7),
        ("Toronto, CA", 43.7, -79.4),
        ("Vienna, AT", 48.2, 16.4),
        ("Vint Hill, US", 38.7, -77.7),
        ("Warsaw, PL", 52.2, 21.0),
        ("Washington, US", 38.9, -77.0),
        ("Zurich, CH", 47.4, 8.5),
    )
)

# https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html names the places.
AWS_REGIONS: Mapping[str, str] = {
    "af-south-1": "Cape Town, ZA",
    "ap-northeast-1": "Tokyo, JP",
    "ap-northeast-2": "Seoul, KR",
    "ap-northeast-3": "Osaka, JP",
    "ap-east-1": "Hong Kong, HK",
    "ap-south-1": "Mumbai, IN",
    "ap-southeast-1": "Singapore, SG",
    "ap-southeast-2": "Sydney, AU",
    "ap-southeast-3": "Jakarta, ID",
    "ap-southeast-4": "Melbourne, AU",
    "ca-central-1": "Montreal, CA",
    "eu-central-1": "Frankfurt, DE",
    "eu-central-2": "Zurich, CH",
    "eu-north-1": "Stockholm, SE",
    "eu-south-1": "Milan, IT",
    "eu-west-1": "Dublin, IE",
    "eu-west-2": "London, GB",
    "eu-west-3": "Paris, FR",
    "il-central-1": "Tel Aviv, IL",
    "me-central-1": "Dubai, AE",
    "sa-east-1": "Sao Paulo, BR",
    "us-east-1": "Ashburn, US",
    "us-east-2": "Columbus (Ohio), US",
    "us-west-1": "San Jose, US",
    "us-west-2": "Boardman (Oregon), US",
}

_BY_NAME = {place.name.casefold(): place for place in PLACES}


def find(text: str) -> Place | None:
    """Return the well-known place of a region's name: `Paris, FR`, `Paris`, or an AWS region."""
    wanted = AWS_REGIONS.get(text.strip().lower(), text).strip().casefold()
    found = _BY_NAME.get(wanted)
    if found is None and wanted:
        found = next((place for name, place in _BY_NAME.items() if name.partition(",")[0] == wanted), None)
    return found
