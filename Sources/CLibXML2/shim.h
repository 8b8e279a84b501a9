/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xmlerror.h>

/* xmlFree is a mutable global function pointer, which Swift 6 refuses to touch. */
static inline void clibxml2_free(void *pointer) { xmlFree(pointer); }
