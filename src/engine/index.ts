/** The engine's face to the command line, the UI and threads. */
export { runOperation, type RunOptions } from './run.ts'
export type { RunFinished } from './operation.ts'
export type { Operation, OperationKind } from './operations/list.ts'
export { openWorkbench } from './open-workbench.ts'
export type { Workbench } from './workbench.ts'
