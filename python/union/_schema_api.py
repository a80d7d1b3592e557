"""The messages that describe tasks, workflows and executions, and those of the calls.

Numbers are those of `proto/`; a test compares them with what protoc says.
"""

from __future__ import annotations

from ._schema import CORE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._wire import Schema

_TEMPLATES: Schema = {
    "Variable": {"type": (1, "LiteralType", ""), "description": (2, "s", "")},
    "VariableMap": {"variables": (1, "Variable", "%")},
    "TypedInterface": {"inputs": (1, "VariableMap", ""), "outputs": (2, "VariableMap", "")},
    "Parameter": {
        "var": (1, "Variable", ""),
        "default": (2, "Literal", "?"),
        "required": (3, "b", "?"),
    },
    "ParameterMap": {"parameters": (1, "Parameter", "%")},
    "PromiseAttribute": {"string_value": (1, "s", "?"), "int_value": (2, "i", "?")},
    "OutputReference": {
        "node_id": (1, "s", ""),
        "var": (2, "s", ""),
        "attr_path": (3, "PromiseAttribute", "*"),
    },
    "UnionInfo": {"target_type": (1, "LiteralType", "")},
    "BindingDataCollection": {"bindings": (1, "BindingData", "*")},
    "BindingDataMap": {"bindings": (1, "BindingData", "%")},
    "BindingData": {
        "scalar": (1, "Scalar", "?"),
        "collection": (2, "BindingDataCollection", "?"),
        "promise": (3, "OutputReference", "?"),
        "map": (4, "BindingDataMap", "?"),
        "union": (5, "UnionInfo", ""),
    },
    "Binding": {"var": (1, "s", ""), "binding": (2, "BindingData", "")},
    "KeyValuePair": {"key": (1, "s", ""), "value": (2, "s", "")},
    "RetryStrategy": {"retries": (5, "u", "")},
    "Identifier": {
        "resource_type": (1, "i", ""),
        "project": (2, "s", ""),
        "domain": (3, "s", ""),
        "name": (4, "s", ""),
        "version": (5, "s", ""),
        "org": (6, "s", ""),
    },
    "Secret": {
        "group": (1, "s", ""),
        "group_version": (2, "s", ""),
        "key": (3, "s", ""),
        "mount_requirement": (4, "i", ""),
        "env_var": (5, "s", ""),
    },
    "Identity": {
        "iam_role": (1, "s", ""),
        "k8s_service_account": (2, "s", ""),
        "execution_identity": (4, "s", ""),
    },
    "SecurityContext": {"run_as": (1, "Identity", ""), "secrets": (2, "Secret", "*")},
    "ResourceEntry": {"name": (1, "i", ""), "value": (2, "s", "")},
    "Resources": {"requests": (1, "ResourceEntry", "*"), "limits": (2, "ResourceEntry", "*")},
    "RuntimeMetadata": {"type": (1, "i", ""), "version": (2, "s", ""), "flavor": (3, "s", "")},
    "TaskMetadata": {
        "discoverable": (1, "b", ""),
        "runtime": (2, "RuntimeMetadata", ""),
        "timeout": (4, "Duration", ""),
        "retries": (5, "RetryStrategy", ""),
        "discovery_version": (6, "s", ""),
        "deprecated_error_message": (7, "s", ""),
        "interruptible": (8, "b", "?"),
        "cache_serializable": (9, "b", ""),
        "tags": (11, "s", "%"),
    },
    "Container": {
        "image": (1, "s", ""),
        "command": (2, "s", "*"),
        "args": (3, "s", "*"),
        "resources": (4, "Resources", ""),
        "env": (5, "KeyValuePair", "*"),
        "config": (6, "KeyValuePair", "*"),
    },
    "TaskTemplate": {
        "id": (1, "Identifier", ""),
        "type": (2, "s", ""),
        "metadata": (3, "TaskMetadata", ""),
        "interface": (4, "TypedInterface", ""),
        "custom": (5, "Struct", ""),
        "container": (6, "Container", "?"),
        "task_type_version": (7, "i", ""),
        "security_context": (8, "SecurityContext", ""),
        "config": (16, "s", "%"),
    },
    "TaskNodeOverrides": {"resources": (1, "Resources", "")},
    "TaskNode": {"reference_id": (1, "Identifier", "?"), "overrides": (2, "TaskNodeOverrides", "")},
    "WorkflowNode": {
        "launchplan_ref": (1, "Identifier", "?"),
        "sub_workflow_ref": (2, "Identifier", "?"),
    },
    "NodeMetadata": {
        "name": (1, "s", ""),
        "timeout": (4, "Duration", ""),
        "retries": (5, "RetryStrategy", ""),
        "interruptible": (6, "b", "?"),
    },
    "Node": {
        "id": (1, "s", ""),
        "metadata": (2, "NodeMetadata", ""),
        "inputs": (3, "Binding", "*"),
        "upstream_node_ids": (4, "s", "*"),
        "task_node": (6, "TaskNode", "?"),
        "workflow_node": (7, "WorkflowNode", "?"),
    },
    "WorkflowMetadata": {"on_failure": (2, "i", ""), "tags": (3, "s", "%")},
    "WorkflowMetadataDefaults": {"interruptible": (1, "b", "")},
    "WorkflowTemplate": {
        "id": (1, "Identifier", ""),
        "metadata": (2, "WorkflowMetadata", ""),
        "interface": (3, "TypedInterface", ""),
        "nodes": (4, "Node", "*"),
        "outputs": (5, "Binding", "*"),
        "failure_node": (6, "Node", ""),
        "metadata_defaults": (7, "WorkflowMetadataDefaults", ""),
    },
    "CompiledTask": {"template": (1, "TaskTemplate", "")},
    "ConnectionSet": {},
    "CompiledWorkflow": {
        "template": (1, "WorkflowTemplate", ""),
        "connections": (2, "ConnectionSet", ""),
    },
    "CompiledWorkflowClosure": {
        "primary": (1, "CompiledWorkflow", ""),
        "sub_workflows": (2, "CompiledWorkflow", "*"),
        "tasks": (3, "CompiledTask", "*"),
    },
}

_ENTITIES: Schema = {
    "TaskSpec": {"template": (1, "TaskTemplate", "")},
    "TaskCreateRequest": {"id": (1, "Identifier", ""), "spec": (2, "TaskSpec", "")},
    "TaskClosure": {
        "compiled_task": (1, "CompiledTask", ""),
        "created_at": (2, "Timestamp", ""),
    },
    "Task": {"id": (1, "Identifier", ""), "closure": (2, "TaskClosure", "")},
    "WorkflowSpec": {
        "template": (1, "WorkflowTemplate", ""),
        "sub_workflows": (2, "WorkflowTemplate", "*"),
    },
    "WorkflowCreateRequest": {"id": (1, "Identifier", ""), "spec": (2, "WorkflowSpec", "")},
    "LaunchPlanMetadata": {},
    "LaunchPlanSpec": {
        "workflow_id": (1, "Identifier", ""),
        "entity_metadata": (2, "LaunchPlanMetadata", ""),
        "default_inputs": (3, "ParameterMap", ""),
        "fixed_inputs": (4, "LiteralMap", ""),
    },
    "LaunchPlanCreateRequest": {"id": (1, "Identifier", ""), "spec": (2, "LaunchPlanSpec", "")},
    "LaunchPlanClosure": {
        "state": (1, "i", ""),
        "expected_inputs": (2, "ParameterMap", ""),
        "expected_outputs": (3, "VariableMap", ""),
        "created_at": (4, "Timestamp", ""),
        "updated_at": (5, "Timestamp", ""),
    },
    "LaunchPlan": {
        "id": (1, "Identifier", ""),
        "spec": (2, "LaunchPlanSpec", ""),
        "closure": (3, "LaunchPlanClosure", ""),
    },
    "LaunchPlanList": {"launch_plans": (1, "LaunchPlan", "*"), "token": (2, "s", "")},
    "TaskList": {"tasks": (1, "Task", "*"), "token": (2, "s", "")},
}

_EXECUTIONS: Schema = {
    "NamedEntityIdentifier": {
        "project": (1, "s", ""),
        "domain": (2, "s", ""),
        "name": (3, "s", ""),
        "org": (4, "s", ""),
    },
    "Sort": {"key": (1, "s", ""), "direction": (2, "i", "")},
    "ObjectGetRequest": {"id": (1, "Identifier", "")},
    "ResourceListRequest": {
        "id": (1, "NamedEntityIdentifier", ""),
        "limit": (2, "u", ""),
        "token": (3, "s", ""),
        "filters": (4, "s", ""),
        "sort_by": (5, "Sort", ""),
    },
    "Envs": {"values": (1, "KeyValuePair", "*")},
    "WorkflowExecutionIdentifier": {
        "project": (1, "s", ""),
        "domain": (2, "s", ""),
        "name": (4, "s", ""),
        "org": (5, "s", ""),
    },
    "ExecutionError": {
        "code": (1, "s", ""),
        "message": (2, "s", ""),
        "error_uri": (3, "s", ""),
        "kind": (4, "i", ""),
    },
    "ExecutionMetadata": {"mode": (1, "i", ""), "principal": (2, "s", "")},
    "ExecutionSpec": {
        "launch_plan": (1, "Identifier", ""),
        "inputs": (2, "LiteralMap", ""),
        "metadata": (3, "ExecutionMetadata", ""),
        "envs": (23, "Envs", ""),
        "tags": (24, "s", "*"),
    },
    "ExecutionCreateRequest": {
        "project": (1, "s", ""),
        "domain": (2, "s", ""),
        "name": (3, "s", ""),
        "spec": (4, "ExecutionSpec", ""),
        "inputs": (5, "LiteralMap", ""),
        "org": (6, "s", ""),
    },
    "ExecutionCreateResponse": {"id": (1, "WorkflowExecutionIdentifier", "")},
    "WorkflowExecutionGetRequest": {"id": (1, "WorkflowExecutionIdentifier", "")},
    "AbortMetadata": {"cause": (1, "s", ""), "principal": (2, "s", "")},
    "LiteralMapBlob": {"values": (1, "LiteralMap", "?"), "uri": (2, "s", "?")},
    "ExecutionClosure": {
        "outputs": (1, "LiteralMapBlob", "?"),
        "error": (2, "ExecutionError", "?"),
        "abort_metadata": (12, "AbortMetadata", "?"),
        "phase": (4, "i", ""),
        "started_at": (5, "Timestamp", ""),
        "duration": (6, "Duration", ""),
        "created_at": (7, "Timestamp", ""),
        "updated_at": (8, "Timestamp", ""),
        "workflow_id": (11, "Identifier", ""),
    },
    "Execution": {
        "id": (1, "WorkflowExecutionIdentifier", ""),
        "spec": (2, "ExecutionSpec", ""),
        "closure": (3, "ExecutionClosure", ""),
    },
    "ExecutionList": {"executions": (1, "Execution", "*"), "token": (2, "s", "")},
    "WorkflowExecutionGetDataRequest": {"id": (1, "WorkflowExecutionIdentifier", "")},
    "WorkflowExecutionGetDataResponse": {
        "full_inputs": (3, "LiteralMap", ""),
        "full_outputs": (4, "LiteralMap", ""),
    },
    "ExecutionTerminateRequest": {
        "id": (1, "WorkflowExecutionIdentifier", ""),
        "cause": (2, "s", ""),
    },
    "ExecutionTerminateResponse": {},
}

_UNION: Schema = {
    "CompileError": {
        "code": (1, "s", ""),
        "message": (2, "s", ""),
        "hint": (3, "s", ""),
        "traceback": (4, "s", ""),
    },
    "CompiledScript": {
        "error": (1, "CompileError", ""),
        "tasks": (2, "TaskCreateRequest", "*"),
        "workflows": (3, "WorkflowCreateRequest", "*"),
        "launch_plans": (4, "LaunchPlanCreateRequest", "*"),
        "entity": (5, "Identifier", ""),
        "interface": (6, "TypedInterface", ""),
        "parameters": (7, "ParameterMap", ""),
        "notes": (8, "s", "*"),
        "bundle_path": (9, "s", ""),
        "bundle_md5": (10, "y", ""),
        "bundle_size": (11, "u", ""),
        "input_order": (12, "s", "*"),
        "entity_names": (13, "s", "*"),
        "docstring": (14, "s", ""),
    },
    "LaunchRequest": {
        "tasks": (1, "TaskCreateRequest", "*"),
        "workflows": (2, "WorkflowCreateRequest", "*"),
        "launch_plans": (3, "LaunchPlanCreateRequest", "*"),
        "execution": (4, "ExecutionCreateRequest", ""),
    },
    "LaunchResponse": {"id": (1, "WorkflowExecutionIdentifier", "")},
    "CreateUploadLocationRequest": {
        "project": (1, "s", ""),
        "domain": (2, "s", ""),
        "filename": (3, "s", ""),
        "expires_in": (4, "Duration", ""),
        "content_md5": (5, "y", ""),
        "filename_root": (6, "s", ""),
        "add_content_md5_metadata": (7, "b", ""),
        "org": (8, "s", ""),
        "content_length": (9, "i", ""),
    },
    "CreateUploadLocationResponse": {
        "signed_url": (1, "s", ""),
        "native_url": (2, "s", ""),
        "expires_at": (3, "Timestamp", ""),
        "headers": (4, "s", "%"),
    },
}

API: Schema = {**CORE, **_TEMPLATES, **_ENTITIES, **_EXECUTIONS, **_UNION}

# ResourceType
TASK, WORKFLOW, LAUNCH_PLAN = 1, 2, 3
