export function build(say: (step: string) => void): void;
