/** The result of an archive operation, in one sentence. */
import type { EventBody } from '../model/run/event.ts'
import { printedSizes } from './archive-lines.ts'
import { sizeText, durationText, grouped, plural } from '../shared/figures.ts'

type RunFinished = Extract<EventBody, { type: 'run.finished' }>

/** Totals that count partitions by state, in the order of the states. */
const COUNTED_STATES = ['exported', 'published', 'detached', 'dropped', 'restored', 'retracted', 'failed'] as const
const STATE_WORDS: Readonly<Record<string, string>> = {
  retracted: 'removed from the Delta table, as an earlier restore had left to do',
}

/** What a run did with partitions, in the order of their states, such as `3 exported`; empty if it did nothing. */
export function countedStates(totals: RunFinished['totals']): readonly string[] {
  return COUNTED_STATES.flatMap((name) => {
    const count = totals[name] ?? '0'
    return count === '0' ? [] : [`${grouped(count)} ${STATE_WORDS[name] ?? name}`]
  })
}

/**
 * The result in one sentence.
 * @param planOnly true for a dry run
 * @returns null for other commands, and if nothing is counted
 */
export function archiveText(finished: RunFinished, command: string, planOnly: boolean): string | null {
  const { totals, ms } = finished
  if (Object.keys(totals).length === 0) return null
  const took = ` in ${durationText(ms)}`
  if (command === 'archive-verify') {
    const { checked = '0', files, rows, findings = '0' } = totals
    const isWhole = finished.status === 'ok'
    if (checked === '0' && findings === '0')
      return `${isWhole && finished.notChecked === undefined ? 'there are no archived partitions, so ' : ''}nothing was checked${took}`
    const what = [
      plural(checked, 'partition'),
      ...(files === undefined ? [] : [plural(files, 'file')]),
      ...(rows === undefined ? [] : [plural(rows, 'row')]),
    ]
    const equal = `${isWhole && finished.notChecked === undefined ? 'all' : 'what was compared'} is as it was proved`
    return `${what.join(', ')} checked, ${findings === '0' ? equal : plural(findings, 'finding')}${took}`
  }
  if (command === 'archive-hold') return `${plural(totals['partitions'] ?? '0', 'partition')} recorded in the ledger`
  if (command === 'archive-adopt') {
    const { partitions = '0', rows = '0', findings = '0', rebuilt, version } = totals
    const by = finished.notChecked === undefined ? '' : ' by recorded checksums'
    const compared = `${plural(partitions, 'partition')}, ${plural(rows, 'row')} compared${by}`
    const differences = findings === '0' ? '' : `, ${plural(findings, 'finding')}`
    const end =
      version === undefined ? 'nothing was changed' : `this database owns the archive from version ${version} on`
    const ledger = rebuilt === undefined ? '' : `the ledger has ${plural(rebuilt, 'partition')} again, and `
    return `${compared}${differences}; ${ledger}${end}${took}`
  }
  if (command === 'archive-erase') {
    const { rows = '0', sourceRows = '0', partitions = '0', files = '0', bytes = '0', version } = totals
    const what = `${plural(rows, 'row')} in files of ${plural(partitions, 'partition')}, ${plural(sourceRows, 'row')} in the database`
    if (planOnly) return `${what} would be erased; nothing was changed${took}`
    if (finished.status !== 'ok') return null
    if (version === undefined) return `no such row was found, and nothing was changed${took}`
    return `${what} erased and searched again; ${plural(files, 'file')} destroyed, ${sizeText(bytes)}; the archive begins at version ${version}${took}`
  }
  if (command === 'archive-expire') {
    const { partitions = '0', rows = '0', files = '0', bytes = '0' } = totals
    if (partitions === '0') return finished.status === 'ok' ? `nothing is old enough to expire${took}` : null
    const what = `${plural(partitions, 'partition')}, ${plural(rows, 'row')}, ${plural(files, 'file')}, ${sizeText(bytes)}`
    return `${what} ${planOnly ? 'would expire; nothing was changed' : 'expired; the files stay until archive sweep'}${took}`
  }
  if (command === 'archive-sweep') {
    const { findings = '0', bytes = '0' } = totals
    const swept = planOnly ? 'could be removed; nothing was changed' : 'swept'
    return findings === '0'
      ? `nothing to sweep${took}`
      : `${plural(findings, 'file')}, ${sizeText(bytes)}, ${swept}${took}`
  }
  if (command === 'restore' && totals['brought'] !== undefined) {
    if (finished.status !== 'ok') return null
    const { brought, there, partitions = '0' } = totals
    const of = `of ${plural(partitions, 'partition')}`
    const what =
      there === undefined
        ? `${plural(brought, 'row')} ${of} restored into the other table and proved there`
        : `already in the other table: ${plural(there, 'row')} ${of}`
    return `${what}; the archive was not changed${took}`
  }
  if (planOnly || (command !== 'archive' && command !== 'restore')) return null
  const counts = countedStates(totals)
  const { partitions = '0', rows = '0' } = totals
  if (counts.length === 0) {
    if (finished.status !== 'ok') return null
    return `nothing was ${command === 'archive' ? 'due' : 'left to do'}${took}`
  }
  const sizes = command === 'archive' ? printedSizes(totals['sourceBytes'], totals['bytes']) : ''
  const facts = [
    `${plural(partitions, 'partition')}: ${counts.join(', ')}`,
    ...(rows === '0' ? [] : [plural(rows, 'row')]),
    ...(sizes === '' ? [] : [sizes]),
  ]
  return facts.join('  ') + took
}
