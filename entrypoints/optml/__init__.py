"""The platform contract for programs: everything between an algorithm and SageMaker, standard library only."""
