/**
 * Removes rows by their keys, up to the time of their latest value, so that later writes stay. Parts without a readable
 * write time are removed once they are old enough: the caller reads the rows again.
 */
import type { ChunkRequest } from '../../../model/copy/target-port.ts'
import type { CassandraLink } from '../connect.ts'
import type { RequestFlow } from './flow.ts'
import { keyOfBound, partitionOfBound, spellsEmpty } from './proof.ts'
import { hasStatics, isSharedBound } from './shared-only.ts'
import type { CassandraShape } from './shape.ts'
import { latestOf, QUIET_US, serverTime, TimedRemoval } from './timed-removal.ts'

/** Removes the rows that the request's range names. @throws errors of the driver */
export async function removeKeys(
  link: CassandraLink,
  request: ChunkRequest,
  shape: CassandraShape,
  flow: RequestFlow,
): Promise<void> {
  const { range, signal } = request
  if (range.by !== 'keys') throw new Error('only rows given by key can be removed')
  const quiet = (await serverTime(link)) - QUIET_US
  const rows = TimedRemoval.ofRows(link, shape, signal)
  const statics = hasStatics(shape) ? TimedRemoval.ofStatics(link, shape, signal) : null
  await flow.each(range.keys, signal, async (bound) => {
    if (statics !== null && isSharedBound(bound, shape.partition.length)) {
      const partition = partitionOfBound(request, shape, bound)
      const found = await statics.inspect(partition)
      const hasRows = found?.first != null
      if (found !== null && !hasRows) await statics.remove(partition, latestOf(found), quiet)
      if (!hasRows || !spellsEmpty(request, shape, bound)) return
    }
    const { values } = keyOfBound(request, shape, bound)
    const found = await rows.inspect(values)
    if (found !== null) await rows.remove(values, latestOf(found), quiet)
  })
}
