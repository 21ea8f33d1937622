/** Actions when a prompt is accepted. */
import type { AsOf } from '../../model/lake/as-of.ts'
import { isoTime } from '../../shared/clock.ts'
import { asSluiceError } from '../../shared/errors.ts'
import type { Prompt, State } from '../state/state.ts'
import { comparison } from '../state/selectors.ts'
import { cursorRow, targetRows } from '../screens/tables/tables-list.ts'
import { compareSvg } from '../screens/compare/compare-svg.ts'
import { askCopyPlan, askPlan } from '../dialogs/actions.ts'
import { importPath } from './operations.ts'
import type { Acting } from './acting.ts'
import { wholeError } from './reach.ts'

/** Prompt error for an existing file; a second `enter` overwrites the file. */
const WRITES_OVER = 'the file exists: enter again overwrites it'

/** A version (`1839`, `v1839`), a time, or '' for the latest; null if it is none of these. */
export function parseAsOf(text: string): AsOf | null {
  const trimmed = text.trim()
  if (trimmed === '') return {}
  const version = /^v?(\d{1,15})$/i.exec(trimmed)
  if (version !== null) return { version: Number(version[1]) }
  // A time without a zone is local time; a date alone means its start.
  const local = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?$/.exec(trimmed)
  const ms =
    local === null
      ? /^\d{4}-/.test(trimmed)
        ? Date.parse(trimmed)
        : Number.NaN
      : Date.parse(`${local[1] ?? ''}T${local[2] ?? '00:00:00'}`)
  return Number.isNaN(ms) ? null : { timestampMs: ms }
}

/** Handles `enter` in a prompt. */
export function acceptPrompt(s: Acting, prompt: Prompt): void {
  const text = prompt.field.text
  // Keep wrong input too, so that the user can correct it instead of typing it again.
  if (text.trim() !== '') s.store.dispatch({ type: 'accepted', kind: prompt.kind, text: text.trim() })
  switch (prompt.kind) {
    case 'filter':
    case 'log-filter':
      s.store.dispatch({ type: 'close-prompt' })
      return
    case 'where':
      s.store.dispatch({ type: 'where', where: text.trim() })
      return
    case 'as-of': {
      const asOf = parseAsOf(text)
      if (asOf === null)
        s.store.dispatch({ type: 'prompt-error', error: 'a version (1839) or a time (2026-11-20 12:00)' })
      else s.store.dispatch({ type: 'as-of', asOf })
      return
    }
    case 'add-store':
      if (text.trim() !== '') void s.stores.add(text.trim())
      return
    case 'import-path': {
      if (text.trim() === '') return
      s.store.dispatch({ type: 'close-prompt' })
      askPlan(
        s,
        `Import ${text.trim()}`,
        importPath(text.trim(), s.place, true),
        importPath(text.trim(), s.place, false),
        true,
      )
      return
    }
    case 'picture-to':
      void savePicture(s, text.trim())
      return
    case 'ask-save':
      void s.ask.save(text.trim())
      return
    case 'copy-to': {
      const url = text.trim()
      const { from, tables } = copied(s.state)
      if (!/^[a-z][a-z0-9+]*:\/\/./i.test(url)) {
        const error = 'a URL such as postgresql://user@host/db or sqlite:///file.db'
        s.store.dispatch({ type: 'prompt-error', error })
        return
      }
      s.store.dispatch({ type: 'close-prompt' })
      if (from !== null) askCopyPlan(s, tables, from, url)
    }
  }
}

/**
 * Source and tables of the key `c`: the marked tables in the database of the row under the cursor, or the table in this
 * row if none is marked. `from` is null if the cursor is not on a database table.
 */
function copied(state: State): { readonly from: string | null; readonly tables: readonly string[] } {
  const row = cursorRow(state)
  if (row?.kind !== 'relation') return { from: null, tables: [] }
  const marked = targetRows(state).flatMap((one) => (one.kind === 'relation' && one.url === row.url ? [one.name] : []))
  return { from: row.url, tables: marked.length === 0 ? [row.name] : marked }
}

/** Saves the comparison on screen as an SVG picture, at the path in the prompt. */
async function savePicture(s: Acting, typed: string): Promise<void> {
  const shown = comparison(s.state)
  if (shown === null) return
  const path = /\.svg$/i.test(typed) ? typed : `${typed}.svg`
  const { lake, catalog, now, compare, prompt } = s.state
  const facts = { table: shown.table, lake: lake ?? shown.table, catalog: catalog ?? '', at: isoTime(now) }
  try {
    const text = compareSvg(shown.questions, compare, facts)
    const written = await s.workbench.asking.write(path, text, prompt?.error === WRITES_OVER)
    if (written === null) return s.store.dispatch({ type: 'prompt-error', error: WRITES_OVER })
    s.store.dispatch({ type: 'close-prompt' })
    s.flash(`picture: ${written}`, 'ok')
  } catch (thrown) {
    s.store.dispatch({ type: 'prompt-error', error: wholeError(asSluiceError(thrown)) })
  }
}

/** The input before (`earlier`) or after the current one in the history: '' after the newest, null if none is older. */
export function typedBefore(state: State, prompt: Prompt, earlier: boolean): string | null {
  const texts = state.accepted[prompt.kind] ?? []
  const at = texts.indexOf(prompt.field.text)
  const to = earlier ? at + 1 : at - 1
  return to < 0 ? '' : (texts[to] ?? null)
}
