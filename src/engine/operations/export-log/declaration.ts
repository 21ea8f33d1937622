import type { Declaration } from '../declaration.ts'

/**
 * Checkpoints of an exported log: none; that of the version where the catalog begins, without which its commits cannot be read;
 * or that one and another of the latest version.
 */
export type ExportedCheckpoint = 'none' | 'base' | 'latest'

export type ExportLogOperation = {
  readonly kind: 'export-log'
  readonly table: string
  readonly catalog: string
  readonly to: string
  /** Which checkpoints to write; `base` when absent. */
  readonly checkpoint?: ExportedCheckpoint
}

export const exportLog: Declaration<ExportLogOperation> = {
  kind: 'export-log',
  command: 'export-log',
  shape: 'lines',
  stores: [
    { field: 'table', family: 'table', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'read', end: 'target' },
    { field: 'to', family: 'folder', access: 'write' },
  ],
  about: 'table',
  events: ['verify.check', 'verify.mismatch', 'log'],
}
