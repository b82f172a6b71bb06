"""What paths answer: parameters, documents, pages and exports."""
