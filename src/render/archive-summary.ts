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

/** What a sentence is made of. @property took ` in 3 s` */
type Ended = { readonly finished: RunFinished; readonly planOnly: boolean; readonly took: string }

/** The sentence of each command; null says nothing. */
const SENTENCES: Readonly<Record<string, (ended: Ended) => string | null>> = {
  'archive-adopt': adopted,
  'archive-erase': erased,
  'archive-expire': expired,
  'archive-hold': ({ finished }) =>
    `${plural(finished.totals['partitions'] ?? '0', 'partition')} recorded in the ledger`,
  'archive-sweep': swept,
  'archive-verify': verified,
  archive: (ended) =>
    moved(ended, 'due', printedSizes(ended.finished.totals['sourceBytes'], ended.finished.totals['bytes'])),
  restore: (ended) =>
    ended.finished.totals['brought'] === undefined ? moved(ended, 'left to do', '') : brought(ended),
}

/**
 * The result in one sentence.
 * @param planOnly true for a dry run
 * @returns null for other commands, and if nothing is counted
 */
export function archiveText(finished: RunFinished, command: string, planOnly: boolean): string | null {
  if (Object.keys(finished.totals).length === 0) return null
  return SENTENCES[command]?.({ finished, planOnly, took: ` in ${durationText(finished.ms)}` }) ?? null
}

function verified({ finished, took }: Ended): string {
  const { checked = '0', files, rows, findings = '0' } = finished.totals
  const isComplete = finished.status === 'ok' && finished.notChecked === undefined
  if (checked === '0' && findings === '0')
    return `${isComplete ? 'there are no archived partitions, so ' : ''}nothing was checked${took}`
  const what = [
    plural(checked, 'partition'),
    ...(files === undefined ? [] : [plural(files, 'file')]),
    ...(rows === undefined ? [] : [plural(rows, 'row')]),
  ]
  const equal = `${isComplete ? 'all' : 'what was compared'} is as it was proved`
  return `${what.join(', ')} checked, ${findings === '0' ? equal : plural(findings, 'finding')}${took}`
}

function adopted({ finished, took }: Ended): string {
  const { partitions = '0', rows = '0', findings = '0', rebuilt, version } = finished.totals
  const by = finished.notChecked === undefined ? '' : ' by recorded checksums'
  const compared = `${plural(partitions, 'partition')}, ${plural(rows, 'row')} compared${by}`
  const differences = findings === '0' ? '' : `, ${plural(findings, 'finding')}`
  const end =
    version === undefined ? 'nothing was changed' : `this database owns the archive from version ${version} on`
  const ledger = rebuilt === undefined ? '' : `the ledger has ${plural(rebuilt, 'partition')} again, and `
  return `${compared}${differences}; ${ledger}${end}${took}`
}

function erased({ finished, planOnly, took }: Ended): string | null {
  const { rows = '0', sourceRows = '0', partitions = '0', files = '0', bytes = '0', version } = finished.totals
  const what = `${plural(rows, 'row')} in files of ${plural(partitions, 'partition')}, ${plural(sourceRows, 'row')} in the database`
  if (planOnly) return `${what} would be erased; nothing was changed${took}`
  if (finished.status !== 'ok') return null
  if (version === undefined) return `no such row was found, and nothing was changed${took}`
  return `${what} erased and searched again; ${plural(files, 'file')} destroyed, ${sizeText(bytes)}; the archive begins at version ${version}${took}`
}

function expired({ finished, planOnly, took }: Ended): string | null {
  const { partitions = '0', rows = '0', files = '0', bytes = '0' } = finished.totals
  if (partitions === '0') return finished.status === 'ok' ? `nothing to expire${took}` : null
  const what = `${plural(partitions, 'partition')}, ${plural(rows, 'row')}, ${plural(files, 'file')}, ${sizeText(bytes)}`
  return `${what} ${planOnly ? 'would expire; nothing was changed' : 'expired; the files stay until archive sweep'}${took}`
}

function swept({ finished, planOnly, took }: Ended): string {
  const { findings = '0', bytes = '0' } = finished.totals
  if (findings === '0') return `nothing to sweep${took}`
  const what = planOnly ? 'could be removed; nothing was changed' : 'swept'
  return `${plural(findings, 'file')}, ${sizeText(bytes)}, ${what}${took}`
}

/** A restore into another table. */
function brought({ finished, took }: Ended): string | null {
  if (finished.status !== 'ok') return null
  const { brought: rows = '0', there, partitions = '0' } = finished.totals
  const of = `of ${plural(partitions, 'partition')}`
  const what =
    there === undefined
      ? `${plural(rows, 'row')} ${of} restored into the other table and proved there`
      : `already in the other table: ${plural(there, 'row')} ${of}`
  return `${what}; the archive was not changed${took}`
}

/** Partitions that advanced to other states. @param nothing what a run without them had none of */
function moved({ finished, planOnly, took }: Ended, nothing: string, sizes: string): string | null {
  if (planOnly) return null
  const counts = countedStates(finished.totals)
  if (counts.length === 0) return finished.status === 'ok' ? `nothing was ${nothing}${took}` : null
  const { partitions = '0', rows = '0' } = finished.totals
  const facts = [
    `${plural(partitions, 'partition')}: ${counts.join(', ')}`,
    ...(rows === '0' ? [] : [plural(rows, 'row')]),
    ...(sizes === '' ? [] : [sizes]),
  ]
  return facts.join('  ') + took
}
