/** Escapes names and messages, which may contain markup, control characters or bidirectional marks. */

import { visible } from '../../../shared/visible.ts'

/** Text for HTML, in an element or a quoted attribute. */
export function escaped(text: string): string {
  return visible(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}
