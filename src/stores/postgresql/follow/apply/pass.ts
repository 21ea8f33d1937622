/** Setting that marks a session's writes as changes of a stream: a guarded table accepts only these. */
export const APPLY = 'sluice.apply'
