/** The run's view of the source, for callers that dispose of the view they get: dispose does nothing here. */
import { forwarded, presentMembers } from '../../../stores/common/around.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'

export function sharedView(view: SourceView): SourceView {
  return {
    point: view.point,
    extent: (table, where, exact) => view.extent(table, where, exact),
    cut: (table, within, where, rows, signal) => view.cut(table, within, where, rows, signal),
    read: (request, size, signal) => view.read(request, size, signal),
    digest: (request, signal) => view.digest(request, signal),
    last: (table, range, where, signal) => view.last(table, range, where, signal),
    ...presentMembers<SourceView>({
      exported: view.exported ?? null,
      isValid: forwarded(view, 'isValid'),
      frames: forwarded(view, 'frames'),
      csv: forwarded(view, 'csv'),
      counts: forwarded(view, 'counts'),
      clockApartMs: forwarded(view, 'clockApartMs'),
    }),
    [Symbol.asyncDispose]: async () => undefined,
  }
}
