/* pb.h - short names for the generated types that this folder reads most. Nothing else is declared
 * here. */
#ifndef RUNS_PB_H
#define RUNS_PB_H

#include "proto-all.h"

typedef Flyteidl__Core__Binding pb_binding;
typedef Flyteidl__Core__BindingData pb_binding_data;
typedef Flyteidl__Core__ExecutionError pb_error;
typedef Flyteidl__Core__Identifier pb_identifier;
typedef Flyteidl__Core__Literal pb_literal;
typedef Flyteidl__Core__LiteralMap pb_literal_map;
typedef Flyteidl__Core__LiteralMap__LiteralsEntry pb_literal_entry;
typedef Flyteidl__Core__LiteralType pb_type;
typedef Flyteidl__Core__Node pb_node;
typedef Flyteidl__Core__OutputReference pb_promise;
typedef Flyteidl__Core__ParameterMap pb_parameter_map;
typedef Flyteidl__Core__PromiseAttribute pb_attribute;
typedef Flyteidl__Core__TaskTemplate pb_task;
typedef Flyteidl__Core__TypedInterface pb_interface;
typedef Flyteidl__Core__VariableMap pb_variable_map;
typedef Flyteidl__Core__WorkflowTemplate pb_workflow;

#endif
