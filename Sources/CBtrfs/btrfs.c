#include "CBtrfs.h"
