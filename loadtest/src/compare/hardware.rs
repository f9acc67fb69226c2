//! On what was measured, as Linux says it. Read once by `compare`.

use serde::Serialize;

const CPUINFO: &str = "/proc/cpuinfo";

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Hardware {
    pub(super) cpu: String,
    pub(super) cores: usize,
}

impl Hardware {
    pub(super) fn read() -> Self {
        Self::of(&std::fs::read_to_string(CPUINFO).unwrap_or_default())
    }

    fn of(cpuinfo: &str) -> Self {
        let values = |name: &'static str| {
            let pairs = cpuinfo.lines().filter_map(|line| line.split_once(':'));
            pairs
                .filter(move |(field, _)| field.trim() == name)
                .map(|(_, value)| value.trim())
        };
        Self {
            cpu: values("model name")
                .next()
                .unwrap_or("unknown processor")
                .to_owned(),
            cores: values("processor").count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_has_a_name_and_cores() {
        let text = "processor\t: 0\nmodel name\t: Fast 9000 @ 3 GHz\n\nprocessor\t: 1\nmodel name\t: Fast 9000 @ 3 GHz\n";
        let Hardware { cpu, cores } = Hardware::of(text);
        assert_eq!((cpu.as_str(), cores), ("Fast 9000 @ 3 GHz", 2));
        assert_eq!(
            Hardware::of("processor : 0").cpu,
            "unknown processor",
            "some architectures name none"
        );
    }
}
