/** Phase II: the partitioned table gets the public name; a reverse stream updates the old table until it is retired. */
import { isoTime } from '../../shared/clock.ts'
import { shellQuote } from '../../shared/shell.ts'
import { isUnderWay, type CutoverRow } from '../../engine/follow/cutover/cutover-row.ts'
import { lastDecommissionStep } from '../decommission/decommission-ledger.ts'
import { reverseStreamCommand, streamCommand, tableCommand } from './commands.ts'
import { lastCutover, type OldDatabase, type InspectedTable, type Phase } from './inspected.ts'
import { blocks } from './partitioning-phase.ts'

/** State of phase II. @param before state of phase I */
export function switchPhase(inspected: InspectedTable, before: Phase): Phase {
  const { standing, stream, entry } = inspected
  const turn = lastCutover(inspected)
  if (turn !== null) return { ...facts(turn), ...turnPhase(inspected, turn) }
  if (stream === null || stream.row.status === 'ended') {
    return standing === null
      ? { state: 'not begun', detail: 'there is no partitioned table yet that could take the name' }
      : { state: 'not asked for', detail: 'the table is partitioned, and no cutover of sluice is in force' }
  }
  if (before.state === 'blocked') return { state: 'not begun', detail: 'the partitioned table is not signed off yet' }
  if (before.state !== 'done') {
    return {
      state: 'not begun',
      detail: 'the partitioned table is not signed off yet',
      next: streamCommand('sign-off', stream.row.id, entry),
    }
  }
  return {
    state: 'due',
    detail: 'the partitioned table is signed off, and can take the name',
    next: streamCommand('cutover', stream.row.id, entry),
  }
}

function turnPhase(inspected: InspectedTable, turn: CutoverRow): Phase {
  const isBack = turn.turn % 2 === 0
  const again = { next: `${streamCommand('cutover', turn.stream, inspected.entry)}${isBack ? ' --revert' : ''}` }
  if (isUnderWay(turn.status)) {
    const step = turn.status === 'preparing' ? 'being prepared' : `at step ${turn.status}`
    return { state: 'running', detail: `cutover ${turn.turn} is ${step} by ${turn.actor}`, ...again }
  }
  const reported = `${isBack ? 'taken back' : 'switched'} ${whenText(turn)}${pauseText(turn)}`
  if (turn.status === 'switched' || turn.status === 'announced') {
    const isOpen = turn.isBetween && turn.status === 'switched'
    const left = isOpen
      ? 'its end is not recorded: --on-switch did not end with 0, or the slot of the earlier stream still exists; to notify users, add --on-switch'
      : 'the slot of the earlier stream still exists, or its removal is not recorded'
    return { state: 'due', detail: `${reported}; ${left}`, ...again }
  }
  if (isBack) {
    const detail = `${reported}; to go forward again, sign off stream ${turn.reverse}, then cutover ${turn.reverse}`
    return {
      state: 'due',
      detail,
      next: streamCommand('sign-off', turn.reverse, inspected.entry),
      also: [streamCommand('cutover', turn.reverse, inspected.entry)],
    }
  }
  return { ...retirementPhase(inspected, turn, reported) }
}

/** State of the old table after a cutover. */
function retirementPhase(inspected: InspectedTable, turn: CutoverRow, reported: string): Phase {
  const { wayBack, retired, entry, now, left } = inspected
  const untilMs = (turn.switchedMs ?? 0) + entry.oldTableGraceMs
  const isOver = untilMs <= now.getTime()
  const step = lastDecommissionStep(retired)
  const name = turn.oldTable
  if (step?.step === 'dropped')
    return { state: 'done', detail: `${reported}; ${name} was dropped ${isoTime(step.doneMs)}` }
  const kept = { keptUntil: isoTime(untilMs) }
  const decommission = { next: tableCommand('partition decommission', entry) }
  if (wayBack !== null && wayBack.row.status !== 'ended') {
    const { id, status, faults } = wayBack.row
    const back = `stream ${id} keeps ${name} equal, so that cutover ${id} --revert goes back`
    const command = turn.isBetween ? reverseStreamCommand : streamCommand
    const follow = { next: command('follow', id, entry) }
    if (status === 'halted') {
      return { ...kept, state: 'blocked', detail: reported, ...blocks(faults.map(({ message }) => message)), ...follow }
    }
    const also = { also: [`${streamCommand('cutover', id, entry)} --revert`] }
    if (!wayBack.isFollowed)
      return {
        ...kept,
        ...also,
        state: 'due',
        detail: `${reported}; no program follows stream ${id}, which keeps ${name} equal`,
        ...follow,
      }
    if (!isOver) return { ...kept, ...also, state: 'running', detail: `${reported}; ${back}` }
    return {
      ...kept,
      ...also,
      state: 'due',
      detail: `${reported}; ${back}; its grace period is over`,
      next: `${command('follow', id, entry)} --end`,
    }
  }
  if (left !== null) return databaseRetirementPhase(left, inspected, { kept, reported, table: name })
  if (step?.step !== 'inactive')
    return { ...kept, state: 'due', detail: `${reported}; ${name} can be retired`, ...decommission }
  const inactive = `${name} is inactive since ${isoTime(step.doneMs)}`
  const undo = { also: [`${tableCommand('partition decommission', entry)} --undo`] }
  return isOver
    ? {
        ...kept,
        ...undo,
        state: 'due',
        detail: `${reported}; ${inactive}, and its grace period is over`,
        ...decommission,
      }
    : { ...kept, ...undo, state: 'running', detail: `${reported}; ${inactive}` }
}

type Reported = { readonly kept: Pick<Phase, 'keptUntil'>; readonly reported: string; readonly table: string }

/** State of the database that the table moved from. */
function databaseRetirementPhase(
  { url, step, error, isNamed }: OldDatabase,
  { entry, now }: InspectedTable,
  { kept, reported, table }: Reported,
): Phase {
  const ends = isNamed ? entry.words.stream : `--from ${shellQuote(url)} ${entry.words.into}`
  const command = `sluice partition decommission --database ${ends}`
  const done = isNamed ? '; the entry can now name only the new database, under from' : ''
  if (step?.step === 'dropped')
    return { state: 'done', detail: `${reported}; database ${step.name} was dropped ${isoTime(step.doneMs)}${done}` }
  if (step?.step === 'inactive') {
    const overMs = step.doneMs + entry.oldTableGraceMs
    const isOver = overMs <= now.getTime()
    const detail = `${reported}; database ${step.name} refuses connections since ${isoTime(step.doneMs)}`
    const undo = { keptUntil: isoTime(overMs), also: [`${command} --undo`] }
    return isOver
      ? { ...undo, state: 'due', detail: `${detail}, and its grace period is over`, next: command }
      : { ...undo, state: 'running', detail }
  }
  if (step !== null) {
    const detail = `${reported}; a program was killed when database ${step.name} was ${step.step}`
    return { ...kept, state: 'due', detail, next: command }
  }
  if (error !== null) {
    const detail = `${reported}; the database that was closed does not answer: ${error.where ?? error.message}${done}, if it no longer exists`
    return { ...kept, state: 'due', detail, next: command }
  }
  const closed = `${table} of the database that was closed receives no writes`
  if (!isNamed) return { ...kept, state: 'done', detail: `${reported}; ${closed}`, also: [command] }
  const detail = `${reported}; ${closed}; the next command closes that database if all of it has moved, and with --dry-run shows what has not`
  return { ...kept, state: 'due', detail, next: command }
}

function facts({ turn, switchedMs, pauseMs, oldTable }: CutoverRow): Omit<Phase, 'state' | 'detail'> {
  return {
    turn,
    parked: oldTable,
    ...(switchedMs === null ? {} : { switchedAt: isoTime(switchedMs) }),
    ...(pauseMs === null ? {} : { pauseMs }),
  }
}

function whenText({ switchedMs }: CutoverRow): string {
  return switchedMs === null ? 'at a time that was not recorded' : isoTime(switchedMs)
}

function pauseText({ pauseMs, tries, isLeast }: CutoverRow): string {
  if (pauseMs === null) return ''
  const waited = isLeast ? `at least ${pauseMs} ms` : `${pauseMs} ms at the most`
  return `, writers waited ${waited}${tries > 1 ? ` in ${tries} tries` : ''}`
}
