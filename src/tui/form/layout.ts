/** Layout of a form: option list, description of the option, candidates, command line, and the plan at the right. */
import { isFirst, isStartable, shownOptions, type Form } from './form.ts'
import type { FormOption } from '../../app/command-port.ts'
import type { ErrorInfo } from '../../shared/errors.ts'
import { clean, wrap } from '../../render/screen-text.ts'

export type FormRow =
  { readonly kind: 'option'; readonly option: FormOption } | { readonly kind: 'heading'; readonly text: string }

export type FormLayout = {
  readonly rows: readonly FormRow[]
  /** Rows of the list. */
  readonly list: number
  /** Rows for the description of the option. */
  readonly about: number
  /** Rows for the candidates. */
  readonly candidates: number
  /** Rows for the command. */
  readonly command: number
  /** Cells of the list. `plan`: cells of the plan at the right of the list; 0 if the plan does not fit. */
  readonly left: number
  readonly plan: number
}

type Size = { readonly columns: number; readonly rows: number }

export function formLayout(form: Form, { columns, rows }: Size): FormLayout {
  // Rows without the frame and the status line.
  const inner = rows - 3
  const about = inner >= 18 ? 3 : inner >= 12 ? 2 : 1
  const candidates = inner >= 24 ? 4 : inner >= 12 ? 2 : 1
  const command = inner >= 18 ? 3 : inner >= 12 ? 2 : 1
  const rules = inner >= 12 ? 2 : 0
  const cells = columns - 4
  const plan = columns >= 120 && rows >= 30 ? Math.floor(cells * 0.45) : 0
  return {
    rows: formRows(form),
    list: Math.max(1, inner - about - candidates - command - rules),
    about,
    candidates,
    command,
    left: plan === 0 ? cells : cells - plan - 1,
    plan,
  }
}

/**
 * Text of the error that prevents the start, with its hint. The hint is left out if only a required option is missing.
 */
export function errorText({ of }: Form, { message, hint }: ErrorInfo): string {
  const isMissing = /missing|no catalog|is given|needs/.test(message) && of.takes.some(({ needed }) => needed)
  return hint === undefined || isMissing ? message : `${message}: ${hint}`
}

/** Rows for the status. If the command cannot be parsed, the error also takes the rows of the command. */
export function statusRows({ read }: Form, { command }: FormLayout): number {
  return read !== null && !isStartable(read) ? command + 1 : 1
}

/** True if the form can show the error in full. */
export function showsWholeError(form: Form, error: ErrorInfo, size: Size): boolean {
  const layout = formLayout(form, size)
  return wrap(clean(errorText(form, error)), layout.left).length <= layout.command + 1
}

/** Options below their headings. */
function formRows(form: Form): readonly FormRow[] {
  const rows: FormRow[] = []
  let heading = ''
  for (const option of shownOptions(form)) {
    const text = isFirst(option) ? '' : (option.group ?? 'options').replace(/:$/, '').toLowerCase()
    if (text !== heading) rows.push({ kind: 'heading', text })
    heading = text
    rows.push({ kind: 'option', option })
  }
  return rows
}

/** The form with its cursor visible and on an option that is shown. */
export function keepFormCursor(form: Form, size: Size): Form {
  const { rows, list } = formLayout(form, size)
  const options = rows.flatMap((row) => (row.kind === 'option' ? [row.option.name] : []))
  const cursor = options.includes(form.cursor) ? form.cursor : (options[0] ?? form.cursor)
  const at = Math.max(
    0,
    rows.findIndex((row) => row.kind === 'option' && row.option.name === cursor),
  )
  const last = Math.max(0, rows.length - list)
  const top = Math.max(0, Math.min(last, form.top > at ? Math.max(0, at - 1) : Math.max(form.top, at - list + 1)))
  return cursor === form.cursor && top === form.top ? form : { ...form, cursor, top }
}

/** The form with the cursor moved by `by` options. */
export function movedForm(form: Form, by: number, size: Size): Form {
  const options = shownOptions(form)
  const at = options.findIndex(({ name }) => name === form.cursor)
  const option = options[Math.max(0, Math.min(options.length - 1, at + by))]
  if (option === undefined || option.name === form.cursor) return form
  return keepFormCursor({ ...form, cursor: option.name, candidates: [], chosen: null }, size)
}
