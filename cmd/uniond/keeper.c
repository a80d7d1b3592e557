#include "program.h"

#include "keeper/keeper.h"

int
keeper_program(int argc, char **argv)
{
	return keeper_main(argc, argv);
}
