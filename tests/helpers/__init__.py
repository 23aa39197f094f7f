"""What tests share: small components, pictures, a stand-in for the Hub, models whose samples are known."""
