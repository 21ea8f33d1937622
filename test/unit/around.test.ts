import { expect, test } from 'vitest'
import { forwarded, presentMembers, type OptionalAnswers } from '../../src/stores/common/optional-members.ts'

interface Port {
  readonly label: string
  ask(): string
  count?(): number
  readonly extra?: ((text: string) => string) | undefined
}

class Below implements Port {
  readonly label = 'below'
  readonly #seen = 7

  ask(): string {
    return this.label
  }

  count(): number {
    return this.#seen
  }
}

test('a present member is forwarded, and a member that is null is left out', () => {
  const below: Port = new Below()
  const view: Port = {
    label: 'view',
    ask: () => below.ask(),
    ...presentMembers<Port>({ count: forwarded(below, 'count'), extra: null }),
  }
  expect(view.count?.()).toBe(7)
  expect('extra' in view).toBe(false)
  expect(forwarded(below, 'extra')).toBeNull()
})

test('a view that neither forwards nor refuses a member does not compile', () => {
  // @ts-expect-error extra is not named
  const lacking: OptionalAnswers<Port> = { count: null }
  // @ts-expect-error count has another type
  const wrong: OptionalAnswers<Port> = { count: () => 'seven', extra: null }
  // @ts-expect-error nothing else is optional
  const more: OptionalAnswers<Port> = { count: null, extra: null, ask: null }
  expect([lacking, wrong, more]).toHaveLength(3)
})
