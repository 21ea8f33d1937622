/** State of an `fsck` run, folded from its events. */
import type { Event } from '../../model/run/event.ts'
import { KEPT } from '../../model/run/kept-events.ts'
import { NO_FSCK } from './fsck-view.ts'
import type { WorkerView, RunView } from './run-view.ts'

type Reported = Extract<Event, { type: 'fsck.progress' | 'fsck.checked' | 'fsck.finding' }>

const UNITS = {
  listing: 'object',
  files: 'file',
  sample: 'file',
  checkpoints: 'checkpoint',
  history: 'commit',
} as const

export function foldFsck(run: RunView, event: Reported, now: number): RunView {
  const fsck = run.fsck ?? NO_FSCK
  if (event.type === 'fsck.checked') return { ...run, fsck: { ...fsck, checked: [...fsck.checked, event] } }
  if (event.type === 'fsck.finding') {
    if (event.level === 'note') return run
    const findings = [...fsck.findings.slice(-KEPT.listed + 1), event]
    return { ...run, fsck: { ...fsck, findings, findingCount: fsck.findingCount + 1 } }
  }
  return progressed(run, event, now)
}

/** Shows the current step as a worker line. The steps `files` and `sample` also set the plan. */
function progressed(run: RunView, event: Extract<Reported, { type: 'fsck.progress' }>, now: number): RunView {
  const { step, table, done, total = '0', bytes } = event
  const known = run.workers.find((worker) => worker.chunk === step)
  const isWork = step === 'files' || step === 'sample'
  const plan = { tables: 0, chunks: 0, total: Number(total), unit: 'file', estimated: false, bytes: 0 }
  const view: WorkerView = {
    worker: 1,
    table,
    chunk: step,
    done: Number(done),
    bytes: Number(bytes),
    total: Number(total),
    unit: UNITS[step],
    waits: null,
    step: null,
    span: {},
    attempt: 1,
    startedAt: known?.startedAt ?? now,
  }
  const after = run.plan !== null && !isWork
  return {
    ...run,
    workers: [view],
    plan: isWork ? plan : run.plan,
    // During other steps, the work of the last plan counts as done. A sample, which is read after all files, has a
    // separate plan.
    doneBefore: after ? (run.plan?.total ?? 0) : 0,
  }
}
