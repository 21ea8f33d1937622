/** A command as a form: options, description, command line, and its plan if there is space. */
import type { FormOption } from '../../app/command-port.ts'
import { redactUrl } from '../../shared/redact.ts'
import { block, chosen, columns, fit, line, rule, span, type Line } from '../draw/line.ts'
import { clean, cutEnd, cutMiddle, padEnd, width, wrap } from '../../render/screen-text.ts'
import { marksOf } from '../draw/theme.ts'
import { isStartable, isTyped, optionUnder, typedText, type Form } from '../form/form.ts'
import { formLayout, errorText, statusRows, type FormLayout, type FormRow } from '../form/layout.ts'
import { outputTone } from '../run/output.ts'
import type { State } from '../state/state.ts'
import { masked, shownAround } from '../draw/masked.ts'
import { field } from '../state/text-field.ts'
import { boxed, type Box, type Of } from './box.ts'
import { planRows } from './plan-rows.ts'

/** The form over the full screen. */
export function formBox({ form }: Of<'form'>, state: State): Box {
  const cells = state.size.columns
  const layout = formLayout(form, state.size)
  const left = leftSide(form, layout, state)
  const body = layout.plan === 0 ? left : columns([left, planSide(form, layout, state)], marksOf(state.ascii).bar)
  const title: Line = [
    span(form.of.words.join(' '), 'strong'),
    span(cutEnd(` · ${form.of.summary}`, Math.max(0, cells - 8 - width(form.of.words.join(' ')))), 'muted'),
  ]
  return boxed(state, title, body, keysOf(form), cells)
}

function keysOf(form: Form): string {
  if (form.find !== null) return 'enter goes there · ↑ ↓ choose · esc shows all'
  const option = optionUnder(form)
  const here = option === undefined ? '' : isTyped(option) ? 'tab completes' : 'space turns'
  const on = form.of.reads ? 'enter asks' : 'enter its plan'
  return `${on} · ↑ ↓ · ${here} · ctrl-f find · ctrl-y copy · ctrl-g help · esc`
}

function leftSide(form: Form, layout: FormLayout, state: State): Line[] {
  const { left, rows, list, about, candidates, command } = layout
  const dash = marksOf(state.ascii).dash
  const ruled = state.size.rows - 3 >= 12
  const shown = rows.slice(form.top, form.top + list).map((row) => rowLine(row, form, left, state))
  if (rows.length === 0) shown.push(line('no option matches', 'muted'))
  const found = form.find === null ? null : findLine(form, left, state)
  const standing = statusRows(form, layout)
  return [
    ...block(found === null ? shown : [found, ...shown.slice(0, list - 1)], left, list),
    ...(ruled ? [rule('', left, dash)] : []),
    ...aboutLines(form, left, about),
    ...block(candidateLines(form, left, candidates), left, candidates),
    ...(ruled ? [rule('', left, dash)] : []),
    ...block(standing === command + 1 ? [] : commandLines(form, left, command), left, command + 1 - standing),
    ...block(statusLines(form, left, standing), left, standing),
  ]
}

function findLine({ find }: Form, cells: number, state: State): Line {
  const [before, after] = shownAround(find ?? field())
  return fit(
    [span('find  '), span(before, 'strong'), span(marksOf(state.ascii).caret, 'info'), span(after, 'strong')],
    cells,
  )
}

const NAME_CELLS = 20

function rowLine(row: FormRow, form: Form, cells: number, state: State): Line {
  const marks = marksOf(state.ascii)
  if (row.kind === 'heading') return line(row.text === '' ? '' : `  ${clean(row.text)}`, 'muted')
  const { option } = row
  const isHere = option.name === form.cursor
  const text = typedText(form, option.name)
  const label = option.operand === true ? option.name.toUpperCase() : option.name
  const names = Math.min(NAME_CELLS, Math.floor(cells * 0.4))
  const front = `${isHere ? marks.row : ' '} ${text === '' ? ' ' : marks.marked} ${padEnd(label, names)} `
  const room = Math.max(4, cells - width(front))
  if (isHere && form.find === null && isTyped(option))
    return fit([span(front, 'strong'), ...typedLine(form, option, room, state)], cells)
  const value: Line = text === '' ? [defaultValue(option, room)] : [span(shownValue(option, text, room))]
  return isHere
    ? chosen([span(front), ...value], cells)
    : fit([span(front, text === '' ? 'plain' : 'strong'), ...value], cells)
}

/** The text scrolled so that the caret is visible. */
function typedLine(form: Form, option: FormOption, room: number, state: State): Line {
  const whole = form.values.get(option.name) ?? field()
  const [before, after] = shownAround(whole)
  const caret = span(marksOf(state.ascii).caret, 'info')
  if (before === '' && after === '') return [caret, defaultValue(option, room - 1)]
  const seen = width(before) < room ? clean(before) : `…${tail(clean(before), room - 3)}`
  return [span(seen, 'strong'), caret, span(clean(after), 'strong')]
}

function tail(text: string, cells: number): string {
  const all = Array.from(text)
  let from = all.length
  for (let used = 0; from > 0; from -= 1) {
    used += width(all[from - 1] ?? '')
    if (used > cells) break
  }
  return all.slice(from).join('')
}

/** The value that applies if the option is not set. */
function defaultValue(option: FormOption, room: number): ReturnType<typeof span> {
  const { needed, shown, fallback, type } = option
  if (needed) return span(cutEnd('needed', room), 'warn')
  const counts = shown ?? option.default ?? fallback
  const text =
    typeof counts === 'boolean'
      ? counts
        ? 'yes'
        : 'no'
      : counts === undefined
        ? type === 'flag'
          ? 'no'
          : '–'
        : `${counts}`
  return span(cutEnd(clean(text), room), 'muted')
}

function shownValue(option: FormOption, text: string, room: number): string {
  const safe = option.completes === 'database' && text.includes('://') ? redactUrl(text) : masked(text)
  return cutMiddle(clean(safe), room)
}

function aboutLines(form: Form, cells: number, rows: number): Line[] {
  const option = optionUnder(form)
  if (option === undefined) return block([], cells, rows)
  const several = option.type === 'list' ? ' Several with blanks between them; quotes round what has blanks.' : ''
  const choices = option.choices === undefined ? '' : ` One of: ${option.choices.join(', ')}.`
  const unit = option.unit === 'duration' ? ' Such as 90s, 15m, 30d.' : option.unit === 'bytes' ? ' Such as 64MB.' : ''
  const wrapped = wrap(clean(`${option.describe}.${choices}${unit}${several}`), cells)
  const last = cutEnd(wrapped.slice(rows - 1).join(' '), cells)
  const cut = wrapped.length > rows ? [...wrapped.slice(0, rows - 1), last] : wrapped
  return block(
    cut.map((text) => line(text, 'muted')),
    cells,
    rows,
  )
}

function candidateLines({ candidates, chosen: at }: Form, cells: number, rows: number): Line[] {
  if (candidates.length === 0) return []
  const lines: Line[] = []
  let row: Line = [span('tab  ', 'muted')]
  let used = 5
  // Keep the inserted candidate visible.
  const from = at === null ? 0 : Math.max(0, at - 3)
  for (const [index, { word, meaning }] of candidates.entries()) {
    if (index < from) continue
    const text = clean(meaning === '' ? word : `${word} (${meaning})`)
    const cost = width(text) + 2
    if (used > 5 && used + cost > cells) {
      lines.push(row)
      if (lines.length === rows) return lines
      row = [span('     ')]
      used = 5
    }
    row = [...row, span(cutMiddle(text, cells - 7), index === at ? 'chosen' : 'info'), span('  ')]
    used += cost
  }
  return [...lines, row]
}

function commandLines({ read, of }: Form, cells: number, rows: number): Line[] {
  const text = isStartable(read) ? read.commandLine : `sluice ${of.words.join(' ')} …`
  const wrapped = wrap(clean(text), cells)
  const cut =
    wrapped.length > rows ? [...wrapped.slice(0, rows - 1), cutEnd(`${wrapped[rows - 1] ?? ''} …`, cells)] : wrapped
  return cut.map((part) => line(part, 'strong'))
}

/** Lines for the status: what is missing or wrong, or what `enter` does. */
function statusLines(form: Form, cells: number, rows: number): Line[] {
  const { read } = form
  if (read === null) return []
  if (isStartable(read)) {
    const { plan, lists } = read
    const next = lists
      ? 'enter asks; nothing is changed'
      : plan === null
        ? 'enter shows what would change, before anything starts'
        : 'enter shows its plan; nothing has started'
    return [line(cutEnd(next, cells), 'ok')]
  }
  const wrapped = wrap(clean(errorText(form, read)), cells)
  if (wrapped.length <= rows) return wrapped.map((text) => line(text, 'warn'))
  const more = '… enter: all of it'
  const last = cutEnd(wrapped.slice(rows - 1).join(' '), Math.max(0, cells - width(more) - 1))
  return [
    ...wrapped.slice(0, rows - 1).map((text) => line(text, 'warn')),
    [span(`${last.replace(/…$/, '')} `, 'warn'), span(more, 'strong')],
  ]
}

function planSide({ plan, of, read }: Form, { plan: cells }: FormLayout, state: State): Line[] {
  const rows = state.size.rows - 2
  const head: Line[] = [line(' plan', 'strong')]
  if (plan === null) {
    const why = of.reads
      ? 'nothing is changed: enter asks'
      : isStartable(read) && read.plan === null
        ? 'the only preview of this command:'
        : 'shown here when the required fields are filled in'
    const notes = isStartable(read) ? read.notes : []
    return block(
      [
        ...head,
        ...[why, ...notes].flatMap((text) => wrap(clean(text), cells - 2).map((part) => line(` ${part}`, 'muted'))),
      ],
      cells,
      rows,
    )
  }
  const reported = plan.lines.flatMap((text) =>
    planRows(text, cells - 2, 0).map((part) => line(` ${part}`, outputTone(text))),
  )
  const end =
    plan.state === 'reading'
      ? [line(' asking …', 'muted')]
      : plan.state === 'failed'
        ? [line(' the plan failed', 'bad')]
        : []
  const room = rows - 1 - end.length
  // If there are too many lines, the last ones are kept, because they contain totals and errors.
  const cut =
    reported.length > room
      ? [
          line(` … ${reported.length - room + 1} lines above: enter shows all`, 'muted'),
          ...reported.slice(reported.length - room + 1),
        ]
      : reported
  return block([...head, ...cut, ...end], cells, rows)
}
