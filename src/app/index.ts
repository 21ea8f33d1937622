/** API of the app layer for the command line, the UI and threads. */
export { runOperation, type RunOptions } from './run.ts'
export type { RunFinished } from '../engine/run/operation.ts'
export type { Operation, OperationKind } from './operations/list.ts'
export { openWorkbench } from './thread/threaded-workbench.ts'
export type { Workbench } from './workbench.ts'

/** `share/distribute`, loaded on first use. */
export const distribute: (typeof import('./share/distribute.ts'))['distributeRun'] = async (options) =>
  (await import('./share/distribute.ts')).distributeRun(options)

/** `share/steer`, loaded on first use. */
export const steerShared: (typeof import('./share/steer.ts'))['steerSharedRun'] = async (...asked) =>
  (await import('./share/steer.ts')).steerSharedRun(...asked)
