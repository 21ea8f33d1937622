/** The two head lines and the last row. */
import { clockSpan, percent } from '../draw/format.ts'
import type { Line, Span } from '../draw/line.ts'
import { line, lineWidth, span, spread } from '../draw/line.ts'
import { clean, cutMiddle, width } from '../draw/text.ts'
import { marksOf } from '../draw/theme.ts'
import { hints } from '../keymap/lookup.ts'
import type { RunView } from '../run/run-view.ts'
import { eta, share } from '../run/run-view.ts'
import { activeRun, comparison, openRun } from '../state/selectors.ts'
import type { Prompt, Screen, State } from '../state/state.ts'
import { around } from '../state/text-field.ts'
import { cursorRow } from '../state/tables-list.ts'

const DOING: Readonly<Record<string, string>> = {
  import: 'importing',
  'batch-import': 'importing',
  validate: 'validating',
  'performance-compare': 'comparing',
  rollback: 'rolling back',
}

/** `importing 63 % · 0:17`: the state of the run in words, always there. */
export function runState(run: RunView | undefined, now: number): string {
  if (run === undefined) return 'idle'
  const doing = DOING[run.operation.kind] ?? run.operation.kind
  const word =
    run.phase === 'paused'
      ? `${doing}, paused`
      : run.phase === 'stopping'
        ? `${doing}, stopping`
        : run.phase === 'aborting'
          ? `${doing}, aborting`
          : doing
  const done = share(run)
  if (done === null) return word
  const left = eta(run, now)
  return left === null ? `${word} ${percent(done)}` : `${word} ${percent(done)} · ${clockSpan(left)}`
}

function headLine(state: State, cells: number): Line {
  const right = runState(activeRun(state), state.now)
  const tone = activeRun(state) === undefined ? 'muted' : 'strong'
  const place = state.lake === null ? clean(state.catalog) : `${clean(state.lake)} → ${clean(state.catalog)}`
  const room = cells - width(right) - 12
  return spread(
    [span(' sluice', 'strong'), span(`  ${cutMiddle(place, Math.max(8, room))}`)],
    [span(`${right} `, tone)],
    cells,
  )
}

const TITLES: Readonly<Record<Screen, string>> = { tables: 'Tables', runs: 'Runs', compare: 'Compare', log: 'Log' }

function crumbs(state: State): string {
  switch (state.screen) {
    case 'tables': {
      const row = cursorRow(state)
      const total = (state.slots.tables.value ?? []).filter((r) => r.kind === 'delta').length
      if (state.focus === 'detail' && row !== null) return `Tables › ${clean(row.name)} › ${state.detail.tab}`
      if (state.slots.tables.value === null) return ''
      const parts = [`${total} ${total === 1 ? 'table' : 'tables'}`]
      if (state.tables.filter !== '') parts.push(`filter ${clean(state.tables.filter)}`)
      if (state.tables.marks.size > 0) parts.push(`${state.tables.marks.size} marked`)
      if (state.tables.anchor !== null) parts.push('range …')
      return parts.join(' · ')
    }
    case 'runs': {
      const run = openRun(state)
      return run === null ? '' : `Runs › ${run.runId ?? run.operation.kind}`
    }
    case 'compare': {
      const shown = comparison(state)
      return shown === null ? '' : `Compare › ${clean(shown.table)}`
    }
    case 'log':
      return `${state.log.errorsOnly ? 'errors only · ' : ''}${state.log.follow ? 'follows' : 'stands still, G follows'}`
  }
}

function screensLine(state: State, cells: number): Line {
  const screens: readonly Screen[] = ['tables', 'runs', 'compare', 'log']
  const left = screens.flatMap((screen, i): Span[] => {
    const text = `${i + 1} ${TITLES[screen]}`
    return [state.screen === screen ? span(`[${text}]`, 'strong') : span(` ${text} `), span(' ')]
  })
  const right = cutMiddle(crumbs(state), Math.max(0, cells - lineWidth(left) - 4))
  return spread([span(' '), ...left], line(`${right} `), cells)
}

/** The two lines at the top of every screen. */
export function headLines(state: State, cells: number): Line[] {
  return [headLine(state, cells), screensLine(state, cells)]
}

const ASKED: Readonly<Record<Prompt['kind'], string>> = {
  filter: '/',
  'log-filter': '/',
  where: 'where',
  'as-of': 'as of (version or time, empty is the latest)',
  'import-path': 'import the table at',
}

function promptLine(prompt: Prompt, state: State, cells: number): Line {
  const [before, after] = around(prompt.field)
  const caret = marksOf(state.ascii).caret
  const left = [span(` ${ASKED[prompt.kind]} `, 'strong'), span(clean(before)), span(caret, 'info'), span(clean(after))]
  const right = prompt.error === null ? line('enter keeps · esc leaves ', 'muted') : line(`${prompt.error} `, 'bad')
  return spread(left, right, cells)
}

/** The last row: a prompt, what was just said, or the keys that work now. */
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
