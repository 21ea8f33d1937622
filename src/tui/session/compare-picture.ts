/** The comparison on the screen as a file with a picture. */
import { isoTime } from '../../shared/clock.ts'
import { asSluiceError } from '../../shared/errors.ts'
import { comparison } from '../state/selectors.ts'
import { compareSvg } from '../views/compare-svg.ts'
import type { Acting } from './acting.ts'
import { wholeError } from './reach.ts'

/** What the prompt says of a file that is there: enter behind it writes over the file. */
export const WRITES_OVER = 'a file is there: enter again writes over it'

/** Writes what the screen shows, at the path in the prompt. */
export async function savePicture(s: Acting, typed: string): Promise<void> {
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
