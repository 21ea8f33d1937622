/** Config file entry of a table, with comments. */
import { isMap, isNode, isScalar, parseDocument, stringify, type Pair, type YAMLMap } from 'yaml'
import { SluiceError } from '../../shared/errors.ts'
import type { CalendarSpec, Epoch } from '../../model/calendar/calendar.ts'

export type WrittenEntry = {
  readonly table: string
  /** Current state of the table, as lines. */
  readonly found: readonly string[]
  readonly from?: string | undefined
  readonly by: string
  readonly epoch?: Epoch | undefined
  readonly calendar: CalendarSpec
  readonly ahead: number
  readonly olderThan?: string | undefined
  readonly archive?: string | undefined
}

/** A file with only this entry. */
export function entryText(entry: WrittenEntry): string {
  const { table, found, from, by, epoch, calendar, ahead, olderThan, archive } = entry
  const { unit, firstMonth, yearOffset, firstWeekday, zone } = calendar
  const inner = [
    ...found.map((line) => `# ${line}`),
    ...(from === undefined
      ? []
      : [
          '# Database of the table: a URL without a password, a name of stores, or a variable that holds the URL.',
          keyLine('from', from),
        ]),
    '# Database of the partitioned table, if it is another one: to',
    '# Time column of the rows, and the periods of the partitions.',
    keyLine('by', by),
    ...(epoch === undefined ? [] : [keyLine('epoch', epoch)]),
    keyLine('calendar', unit),
    ...(unit === 'quarter' || unit === 'year'
      ? [keyLine('first-month', firstMonth), keyLine('year-offset', yearOffset)]
      : []),
    ...(unit === 'week' ? [keyLine('first-weekday', firstWeekday)] : []),
    keyLine('zone', zone),
    '# Phase I, partition plan and partition run: slices of a period that are copied in parallel (week, month),',
    '# how many are copied at once, and the time limit for one period.',
    '# slices: week',
    '# lanes: 2',
    '# window: 3h',
    '# Alerts while changes are followed.',
    '# alert: lag>30s,wal>10GB,stalled>60s,error',
    '# Phase III, partition ensure: number of whole periods after the current one that must have partitions.',
    keyLine('ahead', ahead),
    '# Phase IV, archive run: age of due partitions, folder of the archive, and how long a detached partition is kept.',
    olderThan === undefined ? '# older-than: 8q' : keyLine('older-than', olderThan),
    archive === undefined ? '# archive: s3://bucket/prefix' : keyLine('archive', archive),
    '# grace: 7d',
  ]
  return `lifecycle:\n  ${key(table)}:\n${inner.map((one) => `    ${one}\n`).join('')}`
}

/**
 * The text of a config file with the entry added.
 * @param before text of the file @param file for messages
 * @throws SluiceError BAD_CONFIG for invalid YAML, and if the table has an entry that must not be replaced
 */
export function withEntry(
  before: string,
  entry: WrittenEntry,
  { file, replace }: { readonly file: string; readonly replace: boolean },
): string {
  const document = parseDocument(before)
  const [error] = document.errors
  if (error !== undefined) {
    throw new SluiceError(
      'BAD_CONFIG',
      `the config file is not YAML: ${(error.message.split('\n')[0] ?? '').replace(/:$/, '')}`,
      {
        where: file,
        hint: 'correct that line',
      },
    )
  }
  const { contents } = document
  if (contents === null) return `${before}${before === '' || before.endsWith('\n') ? '' : '\n'}${entryText(entry)}`
  const all = isMap(contents)
    ? contents.items.find(({ key: name }) => isScalar(name) && name.value === 'lifecycle')
    : undefined
  const others = all?.value ?? null
  if (!isMap(contents) || contents.flow === true || !(others === null || isEmpty(others) || isBlock(others))) {
    throw new SluiceError(
      'BAD_CONFIG',
      `the entry cannot be added: the keys of ${all === undefined ? 'the config file' : 'lifecycle'} are not on separate lines`,
      {
        where: file,
        hint: 'print the entry with --write -, then add it by hand',
      },
    )
  }
  if (all === undefined) return `${before.trimEnd()}\n${entryText(entry)}`
  const known = isBlock(others)
    ? others.items.find(({ key: name }) => isScalar(name) && String(name.value) === entry.table)
    : undefined
  if (known === undefined) {
    const first = isBlock(others) ? others.items[0] : undefined
    return spliced(
      before,
      lineEnd(before, startOf(all)),
      null,
      indented(entry, first === undefined ? 2 : columnOf(before, startOf(first))),
    )
  }
  if (!replace) {
    throw new SluiceError('BAD_CONFIG', `lifecycle of ${file} already has an entry of ${entry.table}`, {
      where: file,
      hint: 'change it there, or replace it with --replace; to see the new entry first, print it with --write -',
    })
  }
  const column = columnOf(before, startOf(known))
  return spliced(before, startOf(known) - column, entryEnd(before, known, column), indented(entry, column))
}

/** Replaces the text between two offsets, so that all other formatting stays. @param to null to insert only */
function spliced(text: string, from: number, to: number | null, by: string): string {
  return `${text.slice(0, from)}${by}${text.slice(to ?? from)}`
}

/** Lines of the entry below `lifecycle:`. @param column of its key */
function indented(entry: WrittenEntry, column: number): string {
  const [, ...lines] = entryText(entry).trimEnd().split('\n')
  return lines.map((one) => `${' '.repeat(column)}${one.slice(2)}\n`).join('')
}

function startOf({ key: node }: Pair): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0
}

/** End of an entry, including following comments that are indented deeper than its key. */
function entryEnd(text: string, pair: Pair, column: number): number {
  const { value } = pair
  let end = lineEnd(text, isNode(value) ? (value.range?.[1] ?? startOf(pair)) - 1 : startOf(pair))
  for (;;) {
    const line = text.slice(end, lineEnd(text, end))
    const deep = /^( *)#/.exec(line)?.[1]?.length ?? -1
    if (deep <= column) return end
    end += line.length
  }
}

/** Offset after the line break that ends the line at `at`; for the last line, the end of the text. */
function lineEnd(text: string, at: number): number {
  const end = text.indexOf('\n', at)
  return end === -1 ? text.length : end + 1
}

function columnOf(text: string, at: number): number {
  return at - (text.lastIndexOf('\n', at - 1) + 1)
}

function isBlock(node: unknown): node is YAMLMap {
  return isMap(node) && node.flow !== true
}

function isEmpty(node: unknown): boolean {
  return isScalar(node) && node.value === null
}

function keyLine(name: string, value: string | number): string {
  return `${name}: ${scalar(value)}`
}

/** YAML scalar: quoted if required, never folded. */
function scalar(value: string | number): string {
  return stringify(value, { lineWidth: 0, blockQuote: false }).trimEnd()
}

/** Quotes a name that YAML would read differently. */
function key(name: string): string {
  const text = stringify({ [name]: 0 }, { lineWidth: 0, blockQuote: false }).trimEnd()
  return text.slice(0, text.lastIndexOf(':'))
}
