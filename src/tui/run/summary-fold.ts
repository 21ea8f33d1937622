/** How a run that was joined late grows with what its earlier events add up to. */
import type { Event, TableStatus } from '../../model/run/event.ts'
import type { RunView } from './run-view.ts'

type Told = Extract<Event, { type: 'run.summary' | 'chunks.summary' }>

export function foldSummary(run: RunView, event: Told): RunView {
  const { plan } = run
  const worked = Object.entries(event.work).reduce(
    (sum, [unit, done]) => (plan === null || unit === plan.unit ? sum + Number(done) : sum),
    0,
  )
  const summed = {
    ...run,
    chunksDone: run.chunksDone + Number(event.chunks),
    doneBefore: run.doneBefore + worked,
    bytesBefore: run.bytesBefore + Number(event.bytes),
    retries: run.retries + Number(event.retries),
  }
  return event.type === 'chunks.summary' ? summed : withCounts(summed, event)
}

function withCounts(run: RunView, event: Extract<Told, { type: 'run.summary' }>): RunView {
  const statuses = Object.keys(run.counts) as TableStatus[]
  const counts = { ...run.counts }
  for (const status of statuses) counts[status] += Number(event.tables[status] ?? 0)
  const findingCount = Number(event.findings)
  return {
    ...run,
    counts,
    mismatchCount: run.mismatchCount + Number(event.mismatches),
    differenceCount: run.differenceCount + Number(event.differences),
    fsck: run.fsck === null ? null : { ...run.fsck, findingCount: run.fsck.findingCount + findingCount },
  }
}
