/** Prints a sign-off, and the history of a stream, as Markdown. */
import { oneLine } from '../../shared/visible.ts'
import { dependencyLines } from '../copy/dependencies.ts'
import type { SignedTable, SignOff, StreamHistory } from './sign-off.ts'

/** Number of newest comparisons that are listed one by one; the JSON has all of them. */
const SHOWN_PROOFS = 200

export function signOffText(document: SignOff): string {
  const { id, verdict, reasons, at, by, user, host, tool, run, source, target, others, history } = document
  return [
    `# Sign-off ${verdict}`,
    '',
    ...table(
      ['', ''],
      [
        ['signed by', by],
        ['at', at],
        ['run as', `${user} on ${host}, run ${run}`],
        ['sluice', tool],
        ['stream', history.stream],
        ['id', id],
        ['source', `${source.url} (${source.identity})`],
        ['target', `${target.url} (${target.identity})`],
      ],
    ),
    '',
    ...(reasons.length === 0 ? [] : ['Refused because of:', '', ...reasons.map((one) => `- ${cell(one)}`), '']),
    '## Rows',
    '',
    ...comparedLines(document),
    ...(others.length === 0
      ? []
      : [`Other tables of the stream were not checked: ${others.map(cell).join(', ')}.`, '']),
    '## Checks',
    '',
    ...table(
      ['check', 'table', 'outcome', 'found', 'what to do'],
      document.checks.map((one) => [one.check, one.table ?? '', one.outcome, one.found, one.hint ?? '']),
    ),
    '',
    '## Left behind',
    '',
    ...leftOf(document),
    '',
    ...historyLines(history, '##'),
  ].join('\n')
}

export function historyText(history: StreamHistory): string {
  return [`# Stream ${history.stream}`, '', ...historyLines(history, '##')].join('\n')
}

function comparedLines({ compared }: SignOff): readonly string[] {
  if (compared === null) return ['Nothing was compared.', '']
  const { position, begunAt, endedAt, pauseMs, run, tables } = compared
  return [
    `All rows of source and target were compared as of position ${position} of the source's log: both had all changes before it, and no later ones. The snapshot was taken at ` +
      `${begunAt}, changes waited for ${pauseMs} ms, and the comparison ended at ${endedAt} (run ${run}). Changes after that position are applied, and were not compared.`,
    '',
    ...table(
      ['table', 'target', 'rows', 'rows of the target', 'sum', 'sum of the target', 'differing', 'not readable', ''],
      tables.map((one) => [
        tableCell(one),
        one.target,
        one.rows,
        one.targetRows,
        one.sourceSum ?? '-',
        one.targetSum ?? '-',
        one.differing,
        one.unread,
        one.equal ? 'equal' : 'DIFFERS',
      ]),
    ),
    '',
  ]
}

function tableCell({ table: name, partition }: SignedTable): string {
  return partition === undefined ? name : `${name}, partition ${partition}`
}

function leftOf({ leftBehind }: SignOff): readonly string[] {
  const lines = dependencyLines(leftBehind)
  return lines.length === 0 ? ['None that is known.'] : lines.map((line) => `- ${cell(line)}`)
}

function historyLines(history: StreamHistory, level: string): readonly string[] {
  const { begunAt, endedAt, status, position, transactions, committedAt, tables, proofs, faults, signOffs } = history
  const skipped = Math.max(0, proofs.length - SHOWN_PROOFS)
  return [
    `${level} Stream`,
    '',
    `Begun at ${begunAt}${endedAt === null ? '' : `, ended at ${endedAt}`}; ${status}. ` +
      (position === null
        ? 'Nothing is applied yet.'
        : `Applied up to ${position}: ${transactions} transactions${committedAt === null ? '' : `, the last committed at ${committedAt} by the clock of the source`}.`),
    '',
    ...faults.flatMap(({ code, message, since, tables: names }) => [
      `- halted: ${code} ${cell(message)}; changes since ${since} may be missing in ${names.length === 0 ? 'all tables' : names.map(cell).join(', ')}`,
    ]),
    ...(faults.length === 0 ? [] : ['']),
    ...table(
      ['table', 'state', 'inserts', 'updates', 'deletes', 'truncates', 'rows repaired', 'taken back'],
      tables.map((one) => [
        one.table,
        one.state,
        one.inserts,
        one.updates,
        one.deletes,
        one.truncates,
        one.mended,
        one.undone,
      ]),
    ),
    '',
    'Repaired rows are in migration_repairs of the target, by key, with the values before.',
    '',
    `${level} Comparisons`,
    '',
    ...(proofs.length === 0
      ? ['No table of the stream was compared yet.']
      : table(
          [
            'at',
            'table',
            'position',
            'rows',
            'rows of the target',
            'differing',
            'not readable',
            'changes waited, ms',
            'took, ms',
            'run',
          ],
          proofs
            .slice(skipped)
            .map((one) => [
              one.at,
              one.table,
              one.position,
              one.rows,
              one.targetRows,
              one.differing,
              one.unread,
              String(one.pauseMs),
              String(one.ms),
              one.run,
            ]),
        )),
    ...(skipped === 0 ? [] : ['', `${skipped} earlier ones are in migration_stream_proofs of the target.`]),
    '',
    `${level} Sign-offs`,
    '',
    ...(signOffs.length === 0
      ? ['None before.']
      : table(
          ['at', 'verdict', 'by', 'position', 'id'],
          signOffs.map((one) => [one.at, one.verdict, one.by, one.position ?? '-', one.id]),
        )),
    '',
  ]
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)]
}

/** Escapes names and messages, which may contain any character. */
function cell(text: string): string {
  return (
    oneLine(text)
      // A bracket opens links and images.
      .replaceAll(/[\\[]/g, String.raw`\$&`)
      .replaceAll('|', '\\|')
      // HTML begins so; a comparison of SQL stays as it is written.
      .replaceAll(/<(?=[A-Za-z/!?])/g, '&lt;')
  )
}
