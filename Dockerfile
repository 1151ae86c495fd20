# A pod's image with podctl as its entrypoint. dist/ is made by scripts/release, or is an unpacked release.
#
#   docker build --build-arg TEMPLATE=templates/comfyui.yaml -t my-pod .
#   docker run --gpus all -p 9000:9000 -v my-volume:/workspace -e HF_TOKEN my-pod
#
# What follows the image's name goes to `podctl up`: docker run … my-pod --set comfyui.vram=low
ARG BASE=runpod/pytorch:2.8.0-py3.11-cuda12.8.1-cudnn-devel-ubuntu22.04
FROM ${BASE}

ARG TEMPLATE=templates/comfyui.yaml
COPY dist/podctl-*-linux-x86_64 /usr/local/bin/podctl
COPY ${TEMPLATE} /etc/podctl/pod.yaml

EXPOSE 9000

# Healthy once ComfyUI and every service are ready. The first start on an empty volume can take an hour.
HEALTHCHECK --start-period=60m --interval=30s --timeout=10s --retries=3 \
    CMD ["podctl", "status", "/etc/podctl/pod.yaml", "--quiet"]

# The base image's own start script goes on beside the pod: RunPod's brings up SSH and Jupyter. Where there is none, a
# line says so, and nothing else changes.
ENTRYPOINT ["podctl", "up", "/etc/podctl/pod.yaml", "--image-start", "/start.sh"]
CMD []
