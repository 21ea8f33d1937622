/** Dialog with the plan of a copy: tables, column types, and reasons for refusals. */
import { dependencyLines } from '../../model/copy/dependencies.ts'
import type { CopyPlanLine } from '../../model/run/event.ts'
import { bytes, clockSpan, shownCount, amount } from '../../render/screen-format.ts'
import { line, type Line } from '../draw/line.ts'
import { clean, wrap } from '../../render/screen-text.ts'
import type { State } from '../state/state.ts'
import { boxed, type Box, type Of } from './box.ts'
import { columnText } from '../screens/run/copy/texts.ts'

/** Largest number of tables for which all columns are listed; with more tables, only lossy columns are. */
const DETAILED = 3

/** True if the plan contains a table to copy. */
export function hasTableToCopy(lines: readonly CopyPlanLine[]): boolean {
  return lines.some(({ status }) => status === 'copy' || status === 'resume')
}

function planLines(plan: CopyPlanLine, detailed: boolean, cells: number): Line[] {
  const name = plan.table === plan.to ? plan.table : `${plan.table} → ${plan.to}`
  const lines: Line[] = wrap(clean(name), cells).map((text) => line(text, 'strong'))
  const put = (text: string, tone: 'plain' | 'warn' | 'bad' | 'muted' = 'plain'): void => {
    lines.push(...wrap(clean(text), cells - 2).map((row) => line(`  ${row}`, tone)))
  }
  if (plan.error !== undefined) {
    put(`${plan.status}: ${plan.error.code} ${plan.error.message}`, plan.status === 'refused' ? 'warn' : 'bad')
    if (plan.error.hint !== undefined) put(`do: ${plan.error.hint}`)
    return lines
  }
  if (plan.status === 'done') put('nothing to do: everything is there, and proved', 'muted')
  const chunks = `${plan.chunksEstimated === true ? 'about ' : ''}${amount(Number(plan.chunks), 'chunk')} of ${shownCount(Number(plan.chunkRows))}`
  const key = plan.key.length === 0 ? 'without a key' : `by ${plan.key.join(', ')}`
  put(
    `${plan.estimated ? 'about ' : ''}${amount(Number(plan.rows), 'row')}, ${bytes(Number(plan.bytes))}, ${chunks} ${key}${plan.status === 'resume' ? ', resumes' : ''}`,
  )
  const where = plan.create ? 'creates the table' : `the table exists; its rows: ${plan.onExisting}`
  put(`${where}; ${PROOF[plan.proof] ?? `proof ${plan.proof}`}`)
  if (plan.requests !== undefined) {
    const { requestMs = 0 } = plan
    const time = requestMs < 1000 ? '' : `, which take at least ${clockSpan(requestMs)}`
    put(`about ${amount(Number(plan.requests), 'request')} to the target${time}`)
  }
  for (const note of plan.notes ?? []) put(`note: ${note}`, 'warn')
  for (const text of dependencyLines(plan.leftBehind ?? [])) put(text, 'warn')
  for (const { kind, name: object, status, note } of plan.objects ?? []) {
    if (status !== 'there') put(objectText(kind, object, status, note), status === 'left' ? 'warn' : 'muted')
  }
  for (const column of plan.columns) {
    if (detailed || column.lossy !== undefined) put(columnText(column), column.lossy === undefined ? 'muted' : 'warn')
  }
  return lines
}

function objectText(kind: string, name: string, status: 'build' | 'left', note = ''): string {
  const what = `${kind} ${name}`
  return status === 'left'
    ? `${what} is left out: ${note}`
    : `then makes ${what}${note === '' ? '' : `, which ${note}`}`
}

const PROOF: Readonly<Record<string, string>> = {
  echo: 'proved by rows and checksum of every chunk',
  canonical: 'proved by rows and checksum of every chunk',
  count: 'proved by the number of rows',
  none: 'not proved',
}

/** Time after which the reason for waiting is shown, ms. */
const LONG_MS = 3000

function waitLines({ askedAt, reported }: Of<'copy-plan'>, now: number, cells: number): Line[] {
  const lines = [line('planning: reading source and target …', 'muted')]
  if (reported !== null) lines.push(...wrap(clean(reported), cells).map((text) => line(text, 'warn')))
  if (now - askedAt < LONG_MS) return lines
  const why = 'an unreachable source or target is tried again for about 30 s, and large tables take longer'
  return [...lines, ...wrap(`${clockSpan(now - askedAt)} so far: ${why}`, cells).map((text) => line(text, 'muted'))]
}

/** The plan of a copy. */
export function copyPlanBox(d: Of<'copy-plan'>, state: State): Box {
  const cells = Math.min(state.size.columns, Math.max(66, Math.min(110, state.size.columns - 10)))
  const inner = cells - 4
  const room = Math.max(3, state.size.rows - 10)
  const detailed = d.lines.length <= DETAILED
  const all = d.lines.flatMap((plan, i) => [...(i === 0 ? [] : [[]]), ...planLines(plan, detailed, inner)])
  // Dependencies of a table are listed with the table.
  const others = dependencyLines(d.left.filter(({ table }) => table === undefined))
  if (others.length > 0)
    all.push([], ...others.flatMap((text) => wrap(clean(text), inner)).map((text) => line(text, 'warn')))
  const top = Math.max(0, Math.min(d.top, all.length - room))
  const body: Line[] = []
  if (d.state === 'reading') body.push(...waitLines(d, state.now, inner))
  if (d.error !== null) {
    const { code, message, hint, where } = d.error
    body.push(...wrap(clean(`${code} ${message}`), inner).map((text) => line(text, 'bad')))
    if (where !== undefined) body.push(...wrap(clean(`where: ${where}`), inner).map((text) => line(text)))
    if (hint !== undefined) body.push(...wrap(clean(`do: ${hint}`), inner).map((text) => line(text, 'strong')))
  } else if (d.state === 'failed') body.push(line('the plan failed; the log (4) shows why', 'bad'))
  body.push(...all.slice(top, top + room))
  if (all.length > room)
    body.push(line(`${top + 1}–${Math.min(all.length, top + room)} of ${all.length} · j k scroll`, 'muted'))
  const starts = d.state === 'ready' && hasTableToCopy(d.lines)
  if (starts) {
    const safe = 'nothing is changed in the source; y copies the command, to which flags can be added'
    body.push([], ...wrap(safe, inner).map((text) => line(text, 'muted')))
  }
  if (d.state === 'ready' && !starts) body.push([], line('nothing here can be copied now'))
  const foot = starts
    ? 'enter starts · y copies the command · esc cancels'
    : d.state === 'reading'
      ? 'esc cancels'
      : 'y copies the command · esc closes'
  return boxed(state, line(clean(d.title), 'strong'), body, foot, cells)
}
