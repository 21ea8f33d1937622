/** Names and messages hold anything: markup, control characters, marks that turn the direction of a line. */

import { visible } from '../../../shared/visible.ts'

/** Text as HTML has it, within an element or a quoted attribute. */
export function escaped(text: string): string {
  return visible(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}
