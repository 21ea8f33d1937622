/** The dialog that asks for the table name before a roll back. */
import { amount } from '../../render/screen-format.ts'
import { line, span, type Line } from '../draw/line.ts'
import { clean, wrap } from '../../render/screen-text.ts'
import { marksOf } from '../draw/theme.ts'
import { knownValue } from '../state/selectors.ts'
import type { State } from '../state/state.ts'
import { around } from '../state/text-field.ts'
import { WIDE, boxed, type Box, type Of } from './box.ts'

/** Shows what a roll back removes, if it is safe, and the typed name. */
export function rollbackBox(d: Of<'rollback'>, state: State): Box {
  const cells = Math.min(state.size.columns, Math.max(WIDE, Math.min(90, state.size.columns - 20)))
  const inner = cells - 4
  const marks = marksOf(state.ascii)
  const overview = knownValue(state, 'overview', d.row.key)
  const fact = (label: string, text: string, tone: 'plain' | 'ok' | 'bad' = 'plain'): Line[] =>
    wrap(clean(text), Math.max(10, inner - 10))
      .slice(0, 2)
      .map((t, i) => [span(`  ${(i === 0 ? label : '').padEnd(8)}`, 'muted'), span(t, tone)])
  const body: Line[] = [
    line('Removes this table from the catalog. The log is not changed.'),
    [],
    ...fact(
      'goes',
      `in the catalog: ${amount(overview?.commits ?? null, 'commit')}, ${amount(d.row.files, 'active file')}`,
    ),
    ...fact('stays', `${d.row.location}/_delta_log`),
    ...d.lines.flatMap((l) => fact(l.label, l.text, l.tone)),
  ]
  if (d.state === 'checking') body.push(...fact('safe?', 'reading the log again …'))
  if (d.state === 'safe') body.push(...fact('safe', 'yes: the log can be imported again completely', 'ok'))
  if (d.state === 'unsafe')
    body.push(...fact('safe', `no: ${d.error?.message ?? 'the log does not have all that the catalog has'}`, 'bad'))
  if (d.state === 'failed') body.push(...fact('safe', `not known: ${d.error?.message ?? 'the check failed'}`, 'bad'))
  if (d.error?.hint !== undefined) body.push(...fact('do', d.error.hint))
  const [before, after] = around(d.field)
  const exact = d.field.text === d.row.name && d.state === 'safe'
  const isUnsafe = d.state === 'unsafe'
  const button = isUnsafe ? 'Forget …' : 'Roll back'
  if (!isUnsafe) {
    body.push(
      [],
      [
        span('Type the table name to continue:  '),
        span(clean(before), 'strong'),
        span(marks.caret, 'info'),
        span(clean(after), 'strong'),
      ],
    )
  }
  body.push(
    [],
    d.focus === 'cancel'
      ? [
          span('            '),
          span('[ Cancel ]', 'chosen'),
          span(
            `        ${button}${exact || isUnsafe ? ' (tab goes there)' : d.state === 'failed' ? ' (not safe)' : ' (needs the name)'}`,
            'muted',
          ),
        ]
      : [
          span('              Cancel          '),
          span(`[ ${button} ]`, 'chosen'),
          span(exact || isUnsafe ? '' : d.state === 'failed' ? '  it is not safe' : '  needs the name', 'bad'),
        ],
  )
  const foot = `esc cancels · same as: ${d.commandLine.replace(/ --database-url \S+/, '')}`
  return boxed(state, line(`Roll back ${clean(d.row.name)}`, 'strong'), body, foot, cells)
}
