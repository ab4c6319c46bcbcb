"""From a pinned version of the tables to the arrays that models and contenders read. numpy and Arrow only, no Spark."""
