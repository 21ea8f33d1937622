/** Completions of the word before the caret: keywords, tables and views, and columns of relations in the statement. */
import type { AskRelation } from '../../../app/ask/port.ts'
import { commonStart } from '../../../shared/common-start.ts'
import { beforeCaret, editorText, type Editor } from './ask-editor.ts'
import type { Offer } from './state.ts'

const KEYWORDS = (
  'select from where group by order having limit offset distinct as on join left right full outer inner cross using union all except intersect ' +
  'with recursive case when then else end and or not in is null like between exists asc desc count sum avg min max cast coalesce values over ' +
  'partition explain true false'
).split(' ')
/** Matches the word before the caret, and its qualifier. */
const WORD =
  /(?:((?:[\p{L}\p{N}_$]+|"[^"]*"|`[^`]*`)(?:\.(?:[\p{L}\p{N}_$]+|"[^"]*"|`[^`]*`))*)\.)?([\p{L}\p{N}_$"`]*)$/u
/** Keywords that only a table can follow. */
const WANTS_TABLE = /\b(?:from|join|into|update|table|describe|desc)\s+$/i
const MOST = 200
/** Maximum number of relations for which all columns are offered while the statement names no relation. */
const FEW = 50

export type Offers = { readonly offers: readonly Offer[]; readonly length: number }

/** @param relations tables and views that the statement can query */
export function offersFor(editor: Editor, relations: readonly AskRelation[]): Offers {
  const before = beforeCaret(editor)
  const match = WORD.exec(before)
  const [, qualifier, word = ''] = match ?? []
  const named = namedIn(editorText(editor), relations)
  if (qualifier !== undefined) {
    const meant = named.get(bare(qualifier)) ?? relations.find(({ name }) => bare(name) === bare(qualifier))
    const tables = relations
      .filter(({ name }) => bare(name).startsWith(`${bare(qualifier)}.`))
      .map(({ name }) => ({ text: name.slice(qualifier.length + 1), meaning: 'table' }))
    return offered([...columnsOf(meant === undefined ? [] : [meant]), ...tables], word)
  }
  const tables = relations.map(({ name, columns }) => ({ text: name, meaning: `${columns.length} columns` }))
  if (WANTS_TABLE.test(before.slice(0, before.length - word.length))) return offered(tables, word)
  const upper = word !== '' && word === word.toUpperCase() && word !== word.toLowerCase()
  // Without a named relation, all columns are offered, because columns are often typed before their table.
  const meant = named.size > 0 || relations.length > FEW ? new Set(named.values()) : relations
  const keywords = KEYWORDS.map((text) => ({ text: upper ? text.toUpperCase() : text, meaning: '' }))
  return offered([...columnsOf(meant), ...keywords, ...tables], word)
}

/** Common prefix of all texts, ignoring case as SQL and many file systems do. */
export function commonBeginning(texts: readonly string[]): string {
  return commonStart(texts, (one, other) => one.toLowerCase() === other.toLowerCase())
}

function offered(all: readonly Offer[], word: string): Offers {
  const wanted = bare(word)
  const seen = new Set<string>()
  const offers = all.filter(({ text }) => {
    if (seen.has(text) || !bare(text).startsWith(wanted) || text === word) return false
    seen.add(text)
    return true
  })
  return { offers: offers.slice(0, MOST), length: word.length }
}

function columnsOf(relations: Iterable<AskRelation>): readonly Offer[] {
  return [...relations].flatMap(({ columns }) => columns.map(({ name, type }) => ({ text: name, meaning: type })))
}

/** Relations named in a statement, by name and by alias. */
function namedIn(sql: string, relations: readonly AskRelation[]): ReadonlyMap<string, AskRelation> {
  const known = new Map(relations.map((relation) => [bare(relation.name), relation]))
  const found = new Map<string, AskRelation>()
  for (const [, name = '', alias] of sql.matchAll(
    /([\p{L}\p{N}_$."`]+)(?:\s+(?:as\s+)?([\p{L}_][\p{L}\p{N}_$]*))?/giu,
  )) {
    const relation = known.get(bare(name))
    if (relation === undefined) continue
    found.set(bare(name), relation)
    if (alias !== undefined) found.set(bare(alias), relation)
  }
  return found
}

const bare = (name: string): string => name.replaceAll(/["`]/g, '').toLowerCase()
