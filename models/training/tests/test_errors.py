"""Faults."""

import pickle

from training.errors import TrainingFault


def test_a_fault_says_the_same_after_it_has_been_to_another_process():
    fault = TrainingFault("CORPUS_MISSING", "a corpus", "none", "make one")
    again = pickle.loads(pickle.dumps(fault))
    assert isinstance(again, TrainingFault)
    assert (str(again), again.code, again.remedy) == (str(fault), fault.code, fault.remedy)
