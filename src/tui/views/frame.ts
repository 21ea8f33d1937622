/** The two head lines and the foot line. */
import { clockSpan, percent } from '../../render/screen-format.ts'
import { line, lineWidth, span, spreadLine, type Line, type Span } from '../draw/line.ts'
import { clean, cutMiddle, width } from '../../render/screen-text.ts'
import { declarationOf, sourceAndTarget, storeOf } from '../../app/operations/facts.ts'
import type { Operation } from '../../app/operations/list.ts'
import { marksOf } from '../draw/theme.ts'
import { hints } from '../keymap/lookup.ts'
import { eta, runProgress, type RunView } from '../run/run-view.ts'
import { activeRun, steeredRun, isCatalogUnreachable, openRun } from '../state/selectors.ts'
import { openScreen, SCREENS } from '../screens/index.ts'
import type { Prompt, State } from '../state/state.ts'
import { shownAround } from '../draw/masked.ts'
import { shownRun } from '../screens/queue/queue-open.ts'
import { isFollowing } from '../screens/run/copy/copy-layout.ts'
import { queueState } from '../screens/queue/view.ts'
import { tabStrip } from './tab-strip.ts'

/** Phases that are named behind what the run is doing. */
const HALTING: ReadonlySet<RunView['phase']> = new Set(['paused', 'stopping', 'aborting'])

/** `importing 63 % · 0:17`: the state of the run in words. */
export function runState(run: RunView | undefined, now: number): string {
  if (run === undefined) return 'idle'
  const { kind } = run.operation
  const named = declarationOf(kind).doing ?? kind
  // A cutover also replicates while it waits, but is not shown as a stream.
  const isStream = run.copy !== null && (run.copy.follow.last !== null || isFollowing(run))
  const doing =
    kind === 'copy' && run.plan === null ? 'planning the copy' : isStream && kind !== 'cutover' ? 'following' : named
  const how = HALTING.has(run.phase) ? run.phase : run.copy?.throttle ? 'throttled' : null
  const word = how === null ? doing : `${doing}, ${how}`
  const done = isStream ? null : runProgress(run)
  if (done === null) return word
  const paused = run.copy?.tables.filter(({ state }) => state === 'paused').length ?? 0
  if (paused > 0) return `${word} ${percent(done)} · ${paused === 1 ? 'a table' : `${paused} tables`} paused`
  const left = eta(run, now)
  return left === null ? `${word} ${percent(done)}` : `${word} ${percent(done)} · ${clockSpan(left)}`
}

/** The open stores, or source and target of the shown run. */
function placeOf(state: State, room: number): string {
  const shared = shownRun(state)
  if (shared !== null && shared.source !== null && shared.target !== null)
    return storeUrls(withoutSettings(shared.source), withoutSettings(shared.target), room)
  const run = state.screen === 'runs' ? openRun(state) : null
  const { operation } = run ?? steeredRun(state) ?? {}
  if (operation !== undefined && (run !== null || state.catalog === null) && betweenDatabases(operation)) {
    const { source = '', target } = sourceAndTarget(operation)
    if (target === undefined) return source
    // The operation of a stream may lack the source.
    return source === '' ? target : storeUrls(source, target, room)
  }
  if (state.lake !== null) return `${state.lake} → ${state.catalog ?? ''}`
  return state.catalog ?? state.databases[0]?.url ?? ''
}

/** A URL without connection settings, which do not identify what is copied. */
const withoutSettings = (url: string): string => url.replace(/\?.*$/, '')

/** True if the operation works on databases and is long-running. */
function betweenDatabases(operation: Operation): boolean {
  return declarationOf(operation.kind).display === 'long' && storeOf(operation, 'database') !== undefined
}

/** A URL without system and user. For a database file, the path: relative after three slashes, absolute after four. */
function plainUrl(url: string): string {
  return url.replace(/^\w+:\/\/(?:\/|[^/@]*@)?/, '')
}

/** Two URLs in `room` cells. If they do not fit, first the user is left out, then the system, then the middle. */
function storeUrls(from: string, to: string, room: number): string {
  const shorter = [(url: string) => url, (url: string) => url.replace(/:\/\/[^/@]*@/, '://'), plainUrl]
  for (const short of shorter) {
    const text = `${short(from)} → ${short(to)}`
    if (width(text) <= room) return text
  }
  const half = Math.floor((room - 3) / 2)
  return `${cutMiddle(plainUrl(from), half)} → ${cutMiddle(plainUrl(to), half)}`
}

function headLine(state: State, cells: number): Line {
  const running = steeredRun(state) ?? activeRun(state)
  const away = isCatalogUnreachable(state)
  const right =
    queueState(state) ?? (away && running === undefined ? 'catalog cannot be reached' : runState(running, state.now))
  const tone = away ? 'bad' : running === undefined ? 'muted' : 'strong'
  const room = Math.max(8, cells - width(right) - 12)
  const place = clean(placeOf(state, room))
  return spreadLine([span(' sluice', 'strong'), span(`  ${cutMiddle(place, room)}`)], [span(`${right} `, tone)], cells)
}

function screensLine(state: State, cells: number): Line {
  const screens = Object.entries(SCREENS).filter(([, { under }]) => under === undefined)
  const { under = state.screen, crumbs } = openScreen(state)
  const isOpen = ([name]: (typeof screens)[number]): boolean => name === under
  const tabs = (gap: string): Line =>
    tabStrip(
      screens.map((screen, i) => {
        const text = `${i + 1} ${screen[1].title}`
        return [isOpen(screen) ? span(`[${text}]`, 'strong') : span(` ${text} `), span(gap)]
      }),
      screens.findIndex(isOpen),
      cells - 1,
    )
  let reported = crumbs?.(state) ?? ''
  const fits = (left: Line): boolean => width(reported) <= cells - lineWidth(left) - 4
  const left = fits(tabs(' ')) ? tabs(' ') : tabs('')
  // Filter and marks have priority over the number of tables.
  while (!fits(left) && reported.includes(' · ')) reported = reported.slice(reported.indexOf(' · ') + 3)
  const right = cutMiddle(reported, Math.max(0, cells - lineWidth(left) - 4))
  return spreadLine([span(' '), ...left], line(`${right} `), cells)
}

/** The two lines at the top of every screen. */
export function screenHeadLines(state: State, cells: number): Line[] {
  return [headLine(state, cells), screensLine(state, cells)]
}

const ASKED: Readonly<Record<Prompt['kind'], string>> = {
  filter: '/',
  'log-filter': '/',
  where: 'where',
  'as-of': 'as of (version or time, empty is the latest)',
  'import-path': 'import the table at',
  'copy-to': 'copy to (URL)',
  'picture-to': 'picture of the comparison to',
  'ask-save': 'save to (.csv .jsonl .parquet)',
  'add-store': 'add (path or URL)',
}

function promptLine(prompt: Prompt, state: State, cells: number): Line {
  const [before, after] = shownAround(prompt.field)
  const caret = marksOf(state.ascii).caret
  const label = ` ${ASKED[prompt.kind]} `
  const typed = `${clean(before)}${clean(after)}`
  const left = [span(label, 'strong'), span(clean(before)), span(caret, 'info'), span(clean(after))]
  // Typed text has priority over label and key hints.
  if (prompt.error === null && width(label) + width(typed) + 26 > cells) {
    const room = cells - 6
    const shown =
      width(typed) > room ? [span(` …${Array.from(typed).slice(-room).join('')}`), span(caret, 'info')] : left.slice(1)
    return width(label) + width(typed) + 2 <= cells ? left : [...(width(typed) > room ? [] : [span(' ')]), ...shown]
  }
  const right = prompt.error === null ? line('enter keeps · esc leaves ', 'muted') : line(`${prompt.error} `, 'bad')
  return spreadLine(left, right, cells)
}

/** The last row: prompt, note, or key hints. */
export function footLine(state: State, cells: number): Line {
  if (state.prompt !== null && state.prompt.kind !== 'where') return promptLine(state.prompt, state, cells)
  if (state.dialog !== null && state.flash === null) return []
  if (state.flash !== null)
    return line(
      ` ${state.flash.text}`,
      state.flash.tone === 'bad' ? 'bad' : state.flash.tone === 'ok' ? 'ok' : 'strong',
    )
  return hints(state, cells - 2).flatMap((hint, i): Span[] => [
    span(i === 0 ? ' ' : '  '),
    span(hint.keys, 'strong'),
    span(` ${hint.text}`),
  ])
}
