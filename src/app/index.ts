/** The engine's face to the command line, the UI and threads. */
export { runOperation, type RunOptions } from './run.ts'
export type { RunFinished } from '../engine/run/operation.ts'
export type { Operation, OperationKind } from './operations/list.ts'
export { openWorkbench } from './open-workbench.ts'
export type { Workbench } from './workbench.ts'

/** As `distributed/distribute`, which is loaded when it is asked for. */
export const distribute: (typeof import('./share/distribute.ts'))['distribute'] = async (options) =>
  (await import('./share/distribute.ts')).distribute(options)

/** As `distributed/steer`, the same. */
export const steerShared: (typeof import('./share/steer.ts'))['steerShared'] = async (...asked) =>
  (await import('./share/steer.ts')).steerShared(...asked)
