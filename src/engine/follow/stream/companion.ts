/** A stream as the companion of a copy. Its implementation is loaded on demand. */
import type { Companion } from '../../copy/companion.ts'
import type { CopyRun } from '../../copy/copy-run.ts'
import type { CopyOperation } from '../../copy/operations/copy/declaration.ts'
import { startCopy } from '../../copy/operations/copy/start.ts'
import type { Ending } from '../../run/run-context.ts'
import type { OnlyStream } from '../progress/watch.ts'
import { applyWorkersRefusal, refuseTargetUrl } from './refusals.ts'

/**
 * Runs a copy, and the stream of its changes if `follow` is set.
 * @param within the only stream that the run may resume, and its watch
 * @throws SluiceError as `copy`, and as `Following.open`
 */
export function copyAndFollow(operation: CopyOperation, run: CopyRun, within?: OnlyStream): Promise<Ending> {
  return startCopy(operation, run, operation.follow === undefined ? null : streamOf(within))
}

function streamOf(within: OnlyStream | undefined): Companion {
  return {
    reportsDependencies: within !== undefined,
    refuse: ({ to }) => refuseTargetUrl(to),
    findStream: async (operation, from, to) =>
      (await import('./requested-stream.ts')).requestedStream(operation, from.identity, to),
    inspect: async (parts) => (await import('./preflight.ts')).planFollowing(parts),
    checksKeys: async (operation, to, signal) => (await import('./preflight.ts')).checksKeys(operation, to, signal),
    open: async (parts) =>
      (await import('./following.ts')).Following.open({ ...parts, ...(within === undefined ? {} : { within }) }),
    applyWorkersRefusal,
  }
}
