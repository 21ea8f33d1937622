/** Phase I: an unpartitioned table is copied into a partitioned one and replicated until a sign-off. */
import { changesBy } from '../../model/copy/offers.ts'
import { dec } from '../../model/run/event.ts'
import { isoTime } from '../../shared/clock.ts'
import { asSluiceError } from '../../shared/errors.ts'
import { cdcOf } from '../../engine/follow/stream/known-stream.ts'
import { isOver } from '../../engine/follow/cutover/cutover-row.ts'
import { streamCommand, tableCommand } from './commands.ts'
import { isSwitched, lastCutover, type InspectedTable, type Phase } from './inspected.ts'
import type { TableStreamState } from './table-stream-state.ts'

export async function partitioningPhase(inspected: InspectedTable): Promise<Phase> {
  const { stream, standing, odd, entry, store } = inspected
  if (stream !== null && (stream.row.status !== 'ended' || isSwitched(inspected))) {
    return { ...facts(stream), ...(await lagOf(inspected, stream)), ...streamPhase(inspected, stream) }
  }
  if (standing !== null) {
    return { state: 'done', detail: `the table is partitioned by ${standing.table.column.name}` }
  }
  if (odd !== null) return { state: 'blocked', detail: odd.message, ...blocks([odd.reason, odd.hint]) }
  if (entry.by === undefined) {
    return { state: 'not asked for', detail: 'the table has no partitions, and its entry has no by' }
  }
  if (store.offers.partitionPlan === undefined) {
    return { state: 'not asked for', detail: `sluice cannot create partitioned tables of ${store.system}` }
  }
  const ended = stream === null || stream.endedMs === null ? '' : `; a stream ended ${isoTime(stream.endedMs)}`
  if (inspected.earlier !== null) {
    const { table } = inspected.earlier
    const left =
      table === null
        ? ''
        : `; its earlier copy ${table} is still in the target: if users do not write to it, drop it before the command`
    return {
      state: 'not begun',
      detail: `the table has no partitions yet${ended}${left}`,
      next: `${tableCommand('partition run', entry)} --restart`,
    }
  }
  return {
    state: 'not begun',
    detail: `the table has no partitions yet${ended}`,
    next: tableCommand('partition run', entry),
    // If the new table is in another database, only a copy can fill it.
    ...(store.offers.inPlace === undefined || entry.to !== undefined
      ? {}
      : { also: [tableCommand('partition in-place', entry)] }),
  }
}

function streamPhase(inspected: InspectedTable, stream: TableStreamState): Phase {
  const { entry } = inspected
  const { row, state, isFollowed, proof, signed, chunksFailed } = stream
  const { id } = row
  const follow = { next: streamCommand('follow', id, entry) }
  if (isSwitched(inspected)) return { state: 'done', detail: progressText(stream) }
  if (row.status === 'halted') {
    return {
      state: 'blocked',
      detail: `stream ${id} is halted`,
      ...blocks(row.faults.map(({ message }) => message)),
      ...follow,
    }
  }
  if (chunksFailed > 0n && state !== 'live') {
    return {
      state: 'blocked',
      detail: progressText(stream),
      ...blocks([`${chunksFailed} chunks failed`]),
      ...follow,
    }
  }
  if (signed?.given === true) {
    const alone = isFollowed
      ? ''
      : `; no program follows stream ${id}, and the source keeps its log until the cutover or this command continues: ${streamCommand('follow', id, entry)}`
    return { state: 'done', detail: `${progressText(stream)}, signed ${isoTime(signed.ms)} by ${signed.by}${alone}` }
  }
  const turn = lastCutover(inspected)
  if (turn !== null && !isOver(turn.status) && (turn.stream === id || turn.reverse === id))
    return { state: 'running', detail: `${progressText(stream)}; its cutover is not finished` }
  if (!isFollowed) {
    const since = stream.worker?.commitMs
    const silent = since == null ? '' : `; changes committed up to ${isoTime(since)} are applied`
    return { state: 'due', detail: `${progressText(stream)}; no program follows stream ${id}${silent}`, ...follow }
  }
  if (state !== 'live' || proof === null) return { state: 'running', detail: progressText(stream) }
  if (!proof.equal) {
    return {
      state: 'running',
      detail: `${progressText(stream)}; the last comparison found ${proof.differing} rows that differ, which the stream repairs`,
    }
  }
  const refused = signed === null ? '' : `; a sign-off was refused at ${isoTime(signed.ms)}`
  const partitions =
    stream.signedPartitions === 0 ? '' : `; partitions that are signed off separately: ${stream.signedPartitions}`
  return {
    state: 'due',
    detail: `${progressText(stream)}; it is not signed off${refused}${partitions}`,
    next: streamCommand('sign-off', id, entry),
  }
}

function progressText({ state, chunks, chunksDone, rows, proof, periods }: TableStreamState): string {
  const parts = periods === null ? '' : `${periods.done} of ${periods.of} periods and `
  const copied = `${parts}${chunksDone} of ${chunks} chunks copied, ${rows} rows`
  const words = {
    resync: 'to be copied again',
    copying: copied,
    catchup: `${copied}; changes made meanwhile are being applied`,
    live: chunks === 0n ? 'copied and followed' : `copied, ${rows} rows, and followed`,
  }[state]
  if (proof === null) return words
  return `${words}, ${proof.equal ? 'equal' : 'compared'} ${isoTime(proof.ms)}`
}

function facts({
  row,
  chunks,
  chunksDone,
  rows,
  periods,
  worker,
  proof,
  signed,
}: TableStreamState): Omit<Phase, 'state' | 'detail'> {
  return {
    stream: row.id,
    chunks: dec(chunks),
    chunksDone: dec(chunksDone),
    rows: dec(rows),
    ...(periods === null ? {} : { periods: dec(periods.of), periodsDone: dec(periods.done) }),
    ...(worker?.commitMs == null ? {} : { appliedAt: isoTime(worker.commitMs) }),
    ...(proof === null ? {} : { provedAt: isoTime(proof.ms), equal: proof.equal }),
    ...(signed?.given === true ? { signedAt: isoTime(signed.ms), signedBy: signed.by } : {}),
  }
}

/** Bytes of the source's log that are not applied; empty if the stream has ended, or if positions are not bytes. */
async function lagOf(
  { store, run, noteUninspected, name }: InspectedTable,
  { row, worker }: TableStreamState,
): Promise<Pick<Phase, 'lagBytes'>> {
  if (row.status === 'ended' || row.startRecord === null || worker === null) return {}
  const changes = changesBy(cdcOf(row, undefined), store)
  if (changes === undefined) return {}
  try {
    const { now, waiting } = await changes.lag(row.startRecord, run.interrupt.abort)
    const applied = changes.position(worker.position)
    return waiting === undefined ? { lagBytes: dec(now > applied ? now - applied : 0n) } : {}
  } catch (error) {
    const { code, message } = asSluiceError(error)
    if (code === 'INTERNAL') throw error
    noteUninspected(`lag of ${name}: ${message}`)
    return {}
  }
}

/** `blocks` of a phase; absent if there are no reasons. */
export function blocks(reasons: readonly (string | undefined)[]): Pick<Phase, 'blocks'> {
  const said = reasons.filter((reason) => reason !== undefined)
  return said.length === 0 ? {} : { blocks: said }
}
