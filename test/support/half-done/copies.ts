/**
 * Copies that killed programs have left half-done in a target: a finished one, one that was being divided into chunks,
 * two that were killed between their chunks.
 */
import type { CopyOperation } from '../../../src/engine/copy/operations/copy/declaration.ts'
import { leave } from './child.ts'
import { CHUNK, type Table } from './source.ts'

/** A host name that no machine of a test has. */
export const ELSEWHERE = 'other-host'
/** The host name of the test's own machine. */
export const HERE = 'here'

/** The command that is killed, and run again. */
export function copyOf(from: string, to: string, table: Table): CopyOperation {
  return {
    kind: 'copy',
    from,
    to,
    tables: [table],
    rename: {},
    onExisting: 'refuse',
    acceptLossy: [],
    verify: 'chunk',
    workers: 1,
    maxAside: 10,
    restart: false,
    dryRun: false,
    chunkRows: CHUNK,
    batchRows: 5,
  }
}

/**
 * @param from URL of `openSource`
 * @param unmarked true if identities of tables cannot be removed from the ledger afterwards
 */
export async function leaveCopies(from: string, to: string, unmarked = false): Promise<void> {
  const finished = await leave(copyOf(from, to, 'done'), { host: HERE, unmarked })
  if (finished?.exitCode !== 0) throw new Error(`it is not finished: ${JSON.stringify(finished)}`)
  await leave(copyOf(from, to, 'divided'), { host: ELSEWHERE, dies: { planning: true }, unmarked })
  // Three chunks are completed, the first without the row that no target accepts; the fourth has begun.
  await leave(copyOf(from, to, 'broken'), { host: ELSEWHERE, dies: { type: 'chunk.started', times: 4 }, unmarked })
  await leave(copyOf(from, to, 'ours'), { host: HERE, dies: { type: 'chunk.started', times: 3 }, unmarked })
}
