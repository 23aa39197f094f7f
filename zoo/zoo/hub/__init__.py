"""The Hugging Face Hub: publishing models there, fetching them, listing them."""
