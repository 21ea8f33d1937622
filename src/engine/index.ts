/** The engine's face to the command line, the UI and threads. */
export { runOperation, type RunOptions } from './run.ts'
export type { Operation, OperationKind, RunFinished } from './operation.ts'
